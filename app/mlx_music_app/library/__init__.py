"""Takes on disk and their catalogue.

library.py      Library: what the windows talk to
keeper.py       the open catalogue; a damaged one is replaced
catalogue.py    every statement that changes it     queries.py  every question
rows.py         what goes in and out                words.py    searching
migrations.py   its schema, step by step
upkeep.py       the background: scan.py (the music folder), journal.py (a person's additions,
                a second time), serial.py (one thing after another)
deletion.py     to the trash (trash.py) and back
files.py        names and whole files               naming.py   how they are called
identity.py     which take a file is                intake.py   how a file becomes a take
peaks.py        pictures of sound                   export.py   takes for other programs
"""
