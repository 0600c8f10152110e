"""The player.

Sound is played by a small process of its own (`server`), which the window talks to through
`Player`. An audio callback in Python needs the interpreter's lock every few milliseconds, and in
the app's process it cannot have it: reading the model's tokenizer alone holds the lock for 0.9
seconds (measured), while CoreAudio wants samples every 11 ms. In the other process nobody else
wants the lock.
"""
