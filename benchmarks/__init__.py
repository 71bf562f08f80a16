"""Every speed that the README claims, measured by one command as ratios within one run on one machine."""
