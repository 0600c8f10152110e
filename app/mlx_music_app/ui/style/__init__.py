"""How everything looks: colours, fonts, spacing, icons."""
