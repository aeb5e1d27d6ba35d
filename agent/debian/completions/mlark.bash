# Loaded when mlark is first completed; the program writes the rest, so that it always fits.
eval "$(mlark completions bash)"
