"""What a reader refuses by size (FORMAT.md, section 10), so that no file makes it use memory without end."""

KIB, MIB = 1 << 10, 1 << 20
OBJECT = 16 * MIB
FRAME = OBJECT + 1024  # the largest object with its header and padding
STORED = FRAME + 128 * KIB  # more than zstd makes of what it cannot compress
PIECE = 256 * KIB
LINE = 64 * KIB
PATH = 8 * KIB
ENTRY = 4 * MIB
CHECKPOINT = 16 * MIB
SIGNED_LINE = 4 * KIB  # of an entry and of a checkpoint, with its line end
INDEX = 64 * MIB
SMALL = MIB  # repository.json and key files
LEVELS = 8
