"""The app's Info.plist: what macOS knows of it before it runs.

https://developer.apple.com/documentation/bundleresources/information-property-list
"""

from __future__ import annotations

from typing import Any

from resources.packaging.layout import NAME

IDENTIFIER = "org.mlx-music.app"

#: In Contents/Resources.
ICON = "mlx-music.icns"
DOCUMENT_ICON = "mlx-music-document.icns"

#: The oldest system that MLX's wheels run on.
MINIMUM_SYSTEM = "14.0"

#: What can be opened with the app or dropped on its icon: Uniform Type Identifiers, and names.
DOCUMENTS = {
    "com.microsoft.waveform-audio": "WAV audio",
    "public.aiff-audio": "AIFF audio",
    "org.xiph.flac": "FLAC audio",
    "public.mp3": "MP3 audio",
    "public.mpeg-4-audio": "MPEG-4 audio",
}


def info_plist(version: str) -> dict[str, Any]:
    """The keys that are ours; py2app adds those that its own program reads.

    version: as `mlx_music.version` says it.
    """
    return {
        "CFBundleName": NAME,
        "CFBundleDisplayName": NAME,
        "CFBundleExecutable": NAME,
        "CFBundleIdentifier": IDENTIFIER,
        "CFBundleIconFile": ICON,
        "CFBundleDevelopmentRegion": "en",
        "CFBundleShortVersionString": version,
        "CFBundleVersion": version,
        "CFBundleDocumentTypes": [_document(kind, name) for kind, name in DOCUMENTS.items()],
        "LSApplicationCategoryType": "public.app-category.music",
        "LSArchitecturePriority": ["arm64"],
        "LSMinimumSystemVersion": MINIMUM_SYSTEM,
        # It has a main window, and so an icon in the Dock.
        "LSUIElement": False,
        "NSHighResolutionCapable": True,
        # The window follows the system between light and dark.
        "NSRequiresAquaSystemAppearance": False,
        "NSHumanReadableCopyright": "MIT licence. See About for the work of others.",
    }


def _document(kind: str, name: str) -> dict[str, Any]:
    """One kind of file that is read, and never the first choice of what opens it."""
    return {
        "CFBundleTypeName": name,
        "CFBundleTypeIconFile": DOCUMENT_ICON,
        "CFBundleTypeRole": "Viewer",
        "LSHandlerRank": "Alternate",
        "LSItemContentTypes": [kind],
    }
