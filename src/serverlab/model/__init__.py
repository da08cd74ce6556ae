"""The lab's nouns as frozen records: what the files hold and what the modules hand to each other. No I/O."""
