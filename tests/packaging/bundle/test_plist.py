"""What macOS reads of the app."""

from __future__ import annotations

import plistlib

from mlx_music.version import __version__
from resources.packaging.plist import info_plist


def test_every_key() -> None:
    plist = plistlib.loads(plistlib.dumps(info_plist(__version__)))
    documents = plist.pop("CFBundleDocumentTypes")
    assert plist.pop("NSHumanReadableCopyright")
    assert plist == {
        "CFBundleName": "MLX Music",
        "CFBundleDisplayName": "MLX Music",
        "CFBundleExecutable": "MLX Music",
        "CFBundleIconFile": "mlx-music.icns",
        "CFBundleIdentifier": "org.mlx-music.app",
        "CFBundleDevelopmentRegion": "en",
        "CFBundleShortVersionString": __version__,
        "CFBundleVersion": __version__,
        "LSApplicationCategoryType": "public.app-category.music",
        "LSArchitecturePriority": ["arm64"],
        "LSMinimumSystemVersion": "14.0",
        "LSUIElement": False,
        "NSHighResolutionCapable": True,
        "NSRequiresAquaSystemAppearance": False,
    }
    assert [kind for entry in documents for kind in entry.pop("LSItemContentTypes")] == [
        "com.microsoft.waveform-audio",
        "public.aiff-audio",
        "org.xiph.flac",
        "public.mp3",
        "public.mpeg-4-audio",
    ]
    for entry in documents:
        assert entry.pop("CFBundleTypeName")
        assert entry == {
            "CFBundleTypeIconFile": "mlx-music-document.icns",
            "CFBundleTypeRole": "Viewer",
            "LSHandlerRank": "Alternate",
        }


def test_the_version_is_one_that_macos_compares() -> None:
    """One to three numbers: https://developer.apple.com/documentation/bundleresources"""
    assert all(part.isdigit() for part in __version__.split("."))
    assert 1 <= len(__version__.split(".")) <= 3
