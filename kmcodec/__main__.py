"""`python -m kmcodec`: the same as the command `kmcodec`."""

from kmcodec.cli import main

if __name__ == "__main__":
    main()
