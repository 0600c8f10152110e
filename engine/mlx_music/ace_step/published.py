"""What is published under which name. Imports nothing, so that `--help` can show it."""

MODEL_ID = "ACE-Step/ACE-Step-v1-3.5B"
MODEL_LICENCE = "Apache License 2.0"
