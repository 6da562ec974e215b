# The container of .kmc files for Kaitai Struct: where everything is. What it means, and what a decoder must reject
# besides, is in kmc.md, whose sections the comments name.
meta:
  id: kmc
  title: kmcodec image, format 1
  application: kmcodec
  file-extension: kmc
  license: MIT
  ks-version: '0.10'
  endian: le
doc-ref: kmc.md
seq:
  - id: signature # 3.1
    contents: [0x89, KMC]
  - id: version
    type: u1
    valid: 1
  - id: flags # 3.2
    type: u1
    valid:
      max: 3
  - id: coding
    type: u1
    enum: coding
    valid:
      any-of: [coding::plain, coding::predicted]
  - id: parameter
    type: u1
  - id: width # 3.3
    type: size
  - id: height
    type: size
  - id: last_color
    type: size
  - id: strip_height # 3.4
    type: size
  - id: palette_bytes
    type: size
  - id: stored_palette # 4
    size: palette_bytes.value
    doc: The palette as it is if it is of num_colors * num_channels bytes, else a zstd frame without magic number (2.5).
  - id: strip_bytes
    type: size
    repeat: expr
    repeat-expr: num_strips
  - id: metadata # 5
    type: metadata
    if: has_metadata
  - id: check
    type: u4
    doc: CRC-32 of all bytes before it.
  - id: strips # 6
    type: strip
    size: strip_bytes[_index].value
    repeat: expr
    repeat-expr: num_strips
instances:
  has_alpha:
    value: (flags & 1) != 0
  has_metadata:
    value: (flags & 2) != 0
  num_colors:
    value: last_color.value + 1
  num_channels:
    value: 'has_alpha ? 4 : 3'
  num_strips:
    value: 'num_colors == 1 ? 0 : (height.value + strip_height.value - 1) / strip_height.value'
  bits_per_label: # 7
    value: parameter
    if: coding == coding::plain
  context_set: # 8.1
    value: parameter & 7
    if: coding == coding::predicted
  is_sparse:
    value: (parameter & 8) != 0
    if: coding == coding::predicted
  table_bits:
    value: (parameter >> 4) + 8
    if: coding == coding::predicted
enums:
  coding:
    0: plain
    1: predicted
  kind:
    1: icc
    2: exif
    3: xmp
    4: text
    5: density
types:
  size: # 2.3
    seq:
      - id: groups
        type: u1
        repeat: until
        repeat-until: _ < 128
    instances:
      value:
        value: >-
          (groups[0] & 127)
          + (groups.size > 1 ? (groups[1] & 127) << 7 : 0)
          + (groups.size > 2 ? (groups[2] & 127) << 14 : 0)
          + (groups.size > 3 ? (groups[3] & 127) << 21 : 0)
          + (groups.size > 4 ? (groups[4] & 127) * 268435456 : 0)
        doc: The factor is 1 << 28, but a shift would overflow where integers are of 32 bits.
  metadata: # 5
    seq:
      - id: num_items
        type: size
      - id: items
        type: item
        repeat: expr
        repeat-expr: num_items.value
  item:
    seq:
      - id: kind
        type: u1
        enum: kind
        doc: Kinds from 6 to 127 are to be ignored.
      - id: content_bytes
        type: size
      - id: item_bytes
        type: size
      - id: stored_content
        size: item_bytes.value
        doc: The content as it is if it is of content_bytes bytes, else a zstd frame without magic number (2.5).
  strip: # 6
    seq:
      - id: payload
        size: _io.size - 4
      - id: check
        type: u4
