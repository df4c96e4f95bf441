"""Licence names as people write them, each with the SPDX ids that it may mean.

A name that may mean several licences lists them all: which one is meant is never guessed. What is not listed here is
not recognised. Sources: the trove classifiers of Python packages, and the names on the licences themselves.
"""

import re
import unicodedata

_GPL = ("GPL-1.0-only", "GPL-1.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later")
_LGPL = (
    *("LGPL-2.0-only", "LGPL-2.0-or-later", "LGPL-2.1-only", "LGPL-2.1-or-later"),
    *("LGPL-3.0-only", "LGPL-3.0-or-later"),
)
_LGPL_2 = ("LGPL-2.0-only", "LGPL-2.1-only")
_LGPL_2_LATER = ("LGPL-2.0-or-later", "LGPL-2.1-or-later")
_AGPL = ("AGPL-3.0-only", "AGPL-3.0-or-later")
_OSI_BSD = ("BSD-2-Clause", "BSD-3-Clause")
_ANY_BSD = (*_OSI_BSD, "BSD-4-Clause")
_APACHE = ("Apache-1.1", "Apache-2.0")
_PSF = ("PSF-2.0", "Python-2.0")

SAYS_NOTHING = frozenset({"License :: OSI Approved", "License :: DFSG approved"})
"""Classifiers that praise a licence without naming it."""

_OSI = {
    "Academic Free License (AFL)": ("AFL-1.1", "AFL-1.2", "AFL-2.0", "AFL-2.1", "AFL-3.0"),
    "Apache Software License": _APACHE,
    "Artistic License": ("Artistic-1.0", "Artistic-2.0"),
    "BSD License": _OSI_BSD,
    "Blue Oak Model License (BlueOak-1.0.0)": ("BlueOak-1.0.0",),
    "Boost Software License 1.0 (BSL-1.0)": ("BSL-1.0",),
    "CMU License (MIT-CMU)": ("MIT-CMU",),
    "Common Development and Distribution License 1.0 (CDDL-1.0)": ("CDDL-1.0",),
    "Common Public License": ("CPL-1.0",),
    "Eclipse Public License 1.0 (EPL-1.0)": ("EPL-1.0",),
    "Eclipse Public License 2.0 (EPL-2.0)": ("EPL-2.0",),
    "European Union Public Licence 1.1 (EUPL 1.1)": ("EUPL-1.1",),
    "European Union Public Licence 1.2 (EUPL 1.2)": ("EUPL-1.2",),
    "GNU Affero General Public License v3": _AGPL,
    "GNU Affero General Public License v3 or later (AGPLv3+)": ("AGPL-3.0-or-later",),
    "GNU General Public License (GPL)": _GPL,
    "GNU General Public License v2 (GPLv2)": ("GPL-2.0-only",),
    "GNU General Public License v2 or later (GPLv2+)": ("GPL-2.0-or-later",),
    "GNU General Public License v3 (GPLv3)": ("GPL-3.0-only",),
    "GNU General Public License v3 or later (GPLv3+)": ("GPL-3.0-or-later",),
    "GNU Lesser General Public License v2 (LGPLv2)": _LGPL_2,
    "GNU Lesser General Public License v2 or later (LGPLv2+)": _LGPL_2_LATER,
    "GNU Lesser General Public License v3 (LGPLv3)": ("LGPL-3.0-only",),
    "GNU Lesser General Public License v3 or later (LGPLv3+)": ("LGPL-3.0-or-later",),
    "GNU Library or Lesser General Public License (LGPL)": _LGPL,
    "Historical Permission Notice and Disclaimer (HPND)": ("HPND",),
    "ISC License (ISCL)": ("ISC",),
    "MIT License": ("MIT",),
    "MIT No Attribution License (MIT-0)": ("MIT-0",),
    "Mozilla Public License 1.1 (MPL 1.1)": ("MPL-1.1",),
    "Mozilla Public License 2.0 (MPL 2.0)": ("MPL-2.0",),
    "PostgreSQL License": ("PostgreSQL",),
    "Python License (CNRI Python License)": ("CNRI-Python",),
    "Python Software Foundation License": _PSF,
    "SIL Open Font License 1.1 (OFL-1.1)": ("OFL-1.1",),
    "The Unlicense (Unlicense)": ("Unlicense",),
    "Universal Permissive License (UPL)": ("UPL-1.0",),
    "University of Illinois/NCSA Open Source License": ("NCSA",),
    "W3C License": ("W3C",),
    "Zero-Clause BSD (0BSD)": ("0BSD",),
    "Zope Public License": ("ZPL-1.1", "ZPL-2.0", "ZPL-2.1"),
    "zlib/libpng License": ("Zlib", "Libpng"),
}

_CLASSIFIERS = {
    "License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": ("CC0-1.0",),
    "License :: Other/Proprietary License": ("LicenseRef-Proprietary",),
    "License :: Public Domain": ("LicenseRef-Public-Domain",),
    **{f"License :: OSI Approved :: {name}": ids for name, ids in _OSI.items()},
}


def _gnu(names: tuple[str, ...], family: str, versions: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """'gpl 3', 'gplv3', 'gpl v3', each as it is, with '+' and with 'or later'."""
    spellings: dict[str, tuple[str, ...]] = {}
    for written, meant in versions.items():
        exact = tuple(f"{family}-{version}-only" for version in meant)
        later = tuple(f"{family}-{version}-or-later" for version in meant)
        for name in names:
            for spelling in (f"{name} {written}", f"{name} v{written}", f"{name}v{written}"):
                spellings |= {spelling: exact, f"{spelling}+": later, f"{spelling} or later": later}
    return spellings


_FREE_TEXT = {
    "0bsd": ("0BSD",),
    "apache": _APACHE,
    "apache 2": ("Apache-2.0",),
    "apache 2.0": ("Apache-2.0",),
    "apache v2": ("Apache-2.0",),
    "apache v2.0": ("Apache-2.0",),
    "apache2": ("Apache-2.0",),
    "asl 2.0": ("Apache-2.0",),
    "boost 1.0": ("BSL-1.0",),
    "bsd": _ANY_BSD,
    "bsd 2 clause": ("BSD-2-Clause",),
    "2 clause bsd": ("BSD-2-Clause",),
    "simplified bsd": ("BSD-2-Clause",),
    "bsd 3 clause": ("BSD-3-Clause",),
    "3 clause bsd": ("BSD-3-Clause",),
    "modified bsd": ("BSD-3-Clause",),
    "new bsd": ("BSD-3-Clause",),
    "expat": ("MIT",),
    "isc": ("ISC",),
    "mit": ("MIT",),
    "mozilla public 2.0": ("MPL-2.0",),
    "mpl 2.0": ("MPL-2.0",),
    "mplv2.0": ("MPL-2.0",),
    "proprietary": ("LicenseRef-Proprietary",),
    "public domain": ("LicenseRef-Public-Domain",),
    "psf": _PSF,
    "python foundation": _PSF,
    "unlicense": ("Unlicense",),
    "zlib": ("Zlib",),
    "zpl 2.1": ("ZPL-2.1",),
    **dict.fromkeys(("gpl", "gnu gpl", "gnu general public"), _GPL),
    **dict.fromkeys(("lgpl", "gnu lgpl", "gnu lesser general public"), _LGPL),
    **dict.fromkeys(("agpl", "gnu agpl", "gnu affero general public"), _AGPL),
    **_gnu(
        ("gpl", "gnu gpl", "gnu general public"),
        "GPL",
        {"2": ("2.0",), "2.0": ("2.0",), "3": ("3.0",), "3.0": ("3.0",)},
    ),
    **_gnu(
        ("lgpl", "gnu lgpl", "gnu lesser general public"),
        "LGPL",
        {"2": ("2.0", "2.1"), "2.0": ("2.0",), "2.1": ("2.1",), "3": ("3.0",), "3.0": ("3.0",)},
    ),
    **_gnu(("agpl", "gnu agpl", "gnu affero general public"), "AGPL", {"3": ("3.0",), "3.0": ("3.0",)}),
}

_FILLERS = frozenset({"the", "license", "licence", "licensed", "software", "version"})
_WORD = re.compile(r"[^\W_]+(?:\.\d+)*\+?")


def ids_of_classifier(classifier: str) -> tuple[str, ...]:
    """The SPDX ids that a trove classifier may mean; none when it is not recognised."""
    return _CLASSIFIERS.get(classifier, ())


def ids_of_name(text: str) -> tuple[str, ...]:
    """The SPDX ids that a licence's name in free text may mean; none when it is not recognised."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    telling = [word for word in words if word not in _FILLERS]
    # "The MIT License (MIT)": the same word twice in a row says nothing new.
    distinct = [word for place, word in enumerate(telling) if place == 0 or word != telling[place - 1]]
    return _FREE_TEXT.get(" ".join(distinct), ())
