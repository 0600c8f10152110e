"""The languages that lyrics can be sung in."""

from __future__ import annotations

#: Code (ISO 639-1) and English name of each language, in the order of the model's training table.
LANGUAGE_NAMES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "pl": "Polish",
    "tr": "Turkish",
    "ru": "Russian",
    "cs": "Czech",
    "nl": "Dutch",
    "ar": "Arabic",
    "zh": "Chinese",
    "ja": "Japanese",
    "hu": "Hungarian",
    "ko": "Korean",
    "hi": "Hindi",
}

#: The codes alone.
LANGUAGES = tuple(LANGUAGE_NAMES)

#: What a line counts as when its own language is none of these.
FALLBACK_LANGUAGE = "en"
