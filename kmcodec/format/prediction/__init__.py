"""
Labels to flag streams and back: every bit of every label is guessed, and a flag says whether wrongly.

    parameters.py   what the encoder chooses about the model, one byte of the file
    choice.py       how it chooses
    kernel.py       labels ↔ flags, through predict.c, or through model.py where that was not compiled
    predict.c       labels ↔ flags by the model of model.h, all nodes of a step side by side; model.c sets it up,
                    lanes.h has its vector operations
    unpack.c        stored forms of a stream to flags
    chooser.py      labels chosen by what the model would spend on them, through choose.c
    model.py        the same model in readable Python
    streams.py      flags ↔ bytes, each stream in the smallest of several forms
"""
