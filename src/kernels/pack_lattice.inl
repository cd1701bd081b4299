// Packing of IQ1, IQ2, IQ3 and TQ weights: the rest of pack.cc, in both directions as there.

// Where the low byte of place l of a row is: of four octets, and of eight quads. layout.h says why.
int OctetAt(int l, int row) { return row / 2 * 8 + 2 * l + row % 2; }
int QuadAt(int l, int row) { return l / 4 * 64 + row / 4 * 16 + l % 4 / 2 * 8 + row / 2 % 2 * 4 + l % 2 * 2 + row % 2; }

template <bool kPack>
void MovePlaces(uint8_t* gguf, uint8_t* quants, int n, int row) {
  for (int l = 0; l < n; l++) Move<kPack>(gguf + l, quants + (n == 4 ? OctetAt(l, row) : QuadAt(l, row)), 1);
}

// Seven signs of each of four octets (signs[l]) and a bit more (extra[l]) <-> a plane of 32 bits.
template <bool kPack>
void MoveSevenSigns(uint8_t* signs, uint8_t* extra, uint8_t* panel) {
  uint8_t word[4];
  if constexpr (kPack) {
    for (int l = 0; l < 4; l++) word[l] = static_cast<uint8_t>((signs[l] & 127) | (extra[l] << 7));
  }
  MoveFifthBits<kPack>(word, panel);
  if constexpr (!kPack) {
    for (int l = 0; l < 4; l++) {
      signs[l] = word[l] & 127;
      extra[l] = word[l] >> 7;
    }
  }
}

// IQ2_XXS and IQ3_XXS: 4 x 7 signs and 4 bits of scale in 32 bits.
template <bool kPack>
void MoveSignsAndScale(uint8_t* gguf, uint8_t* panel) {
  uint8_t signs[4], scale[4];
  uint32_t word = 0;
  if constexpr (kPack) {
    word = Load32(gguf);
    for (int l = 0; l < 4; l++) {
      signs[l] = (word >> (7 * l)) & 127;
      scale[l] = (word >> (28 + l)) & 1;
    }
  }
  MoveSevenSigns<kPack>(signs, scale, panel);
  if constexpr (!kPack) {
    for (int l = 0; l < 4; l++) word |= uint32_t{signs[l]} << (7 * l) | uint32_t{scale[l]} << (28 + l);
    Store32(gguf, word);
  }
}

// IQ2_XS: four words of 9 bits of place and 7 signs.
template <bool kPack>
void MovePlacesAndSigns(uint8_t* gguf, uint8_t* quants, int row) {
  uint8_t signs[4], high[4];
  if constexpr (kPack) {
    for (int l = 0; l < 4; l++) {
      signs[l] = gguf[2 * l + 1] >> 1;
      high[l] = gguf[2 * l + 1] & 1;
    }
  }
  MoveSevenSigns<kPack>(signs, high, quants + 64 + 4 * row);
  for (int l = 0; l < 4; l++) {
    if constexpr (!kPack) gguf[2 * l + 1] = static_cast<uint8_t>(signs[l] << 1 | high[l]);
    Move<kPack>(gguf + 2 * l, quants + OctetAt(l, row), 1);
  }
}

// IQ1_M: four words whose upper nibbles are an f16. The fourth word's other bits go into the nibbles that this frees.
template <bool kPack>
void MoveScaleWords(uint8_t* gguf, uint8_t* head, uint8_t* panel) {
  uint16_t word[4], d;
  if constexpr (kPack) {
    std::memcpy(word, gguf, 8);
    d = static_cast<uint16_t>(word[0] >> 12 | (word[1] >> 12) << 4 | (word[2] >> 12) << 8 | (word[3] >> 12) << 12);
    std::memcpy(head, &d, 2);
    for (int i = 0; i < 3; i++) {
      const auto out = static_cast<uint16_t>((word[i] & 0xfff) | ((word[3] >> (4 * i)) & 15) << 12);
      panel[32 * i] = static_cast<uint8_t>(out);
      panel[32 * i + 16] = out >> 8;
    }
  } else {
    std::memcpy(&d, head, 2);
    word[3] = static_cast<uint16_t>(d & 0xf000);
    for (int i = 0; i < 3; i++) {
      const int in = panel[32 * i] | panel[32 * i + 16] << 8;
      word[i] = static_cast<uint16_t>((in & 0xfff) | ((d >> (4 * i)) & 15) << 12);
      word[3] = static_cast<uint16_t>(word[3] | (in >> 12) << (4 * i));
    }
    std::memcpy(gguf, word, 8);
  }
}

// IQ1, IQ2 and IQ3: blocks of 256.
template <bool kPack, TensorType kType>
void MoveLattice(uint8_t* gguf, const SuperPanel& p) {
  constexpr int kStride = LayoutOf(kType).quants;
  uint8_t* const d = p.head + 2 * p.row;
  uint8_t* const scales = p.scales + p.row;
  if constexpr (kType == TensorType::kIQ1_M) {
    MoveBytes<kPack>(gguf + 32, scales, 16);
    MoveScaleWords<kPack>(gguf + 48, d, scales + 256);
  } else {
    Move<kPack>(gguf, d, 2);
  }
  for (int b = 0; b < kSuperBlocks; b++) {
    uint8_t* const quants = p.quants + b * kStride;
    if constexpr (kType == TensorType::kIQ1_S) {
      MovePlaces<kPack>(gguf + 2 + 4 * b, quants, 4, p.row);
      MoveBytes<kPack>(gguf + 34 + 2 * b, scales + 32 * b, 2);
    } else if constexpr (kType == TensorType::kIQ1_M) {
      MovePlaces<kPack>(gguf + 4 * b, quants, 4, p.row);
    } else if constexpr (kType == TensorType::kIQ2_XXS) {
      MovePlaces<kPack>(gguf + 2 + 8 * b, quants, 4, p.row);
      MoveSignsAndScale<kPack>(gguf + 6 + 8 * b, quants + 64 + 4 * p.row);
    } else if constexpr (kType == TensorType::kIQ2_XS) {
      MovePlacesAndSigns<kPack>(gguf + 2 + 8 * b, quants, p.row);
      MoveBytes<kPack>(gguf + 66 + b, scales + 16 * b, 1);
    } else if constexpr (kType == TensorType::kIQ2_S) {
      MovePlaces<kPack>(gguf + 2 + 4 * b, quants, 4, p.row);
      MoveFifthBits<kPack>(gguf + 34 + 4 * b, quants + 64 + 4 * p.row);
      MoveBytes<kPack>(gguf + 66 + b, scales + 128 + 16 * b, 1);
      MoveBytes<kPack>(gguf + 74 + b, scales + 16 * b, 1);
    } else if constexpr (kType == TensorType::kIQ3_XXS) {
      MovePlaces<kPack>(gguf + 2 + 8 * b, quants, 8, p.row);
      MoveSignsAndScale<kPack>(gguf + 66 + 4 * b, quants + 128 + 4 * p.row);
    } else {
      static_assert(kType == TensorType::kIQ3_S);
      MovePlaces<kPack>(gguf + 2 + 8 * b, quants, 8, p.row);
      MoveBytes<kPack>(gguf + 66 + b, scales + 16 * b, 1);
      MoveFifthBits<kPack>(gguf + 74 + 4 * b, quants + 128 + 4 * p.row);
      if (b % 2 == 0) MoveBytes<kPack>(gguf + 106 + b / 2, scales + 128 + 8 * b, 1);
    }
  }
}

template <bool kPack>
void MoveTq1(uint8_t* gguf, const SuperPanel& p) {
  for (int v = 0; v < 13; v++) Move<kPack>(gguf + 4 * v, p.scales + 64 * v + 4 * p.row, 4);
  Move<kPack>(gguf + 52, p.head + 2 * p.row, 2);
}

template <bool kPack>
void MoveTq2(uint8_t* gguf, const SuperPanel& p) {
  constexpr int kStride = LayoutOf(TensorType::kTQ2_0).quants;
  for (int half = 0; half < 2; half++) {
    MoveTwoBits<kPack>(gguf + 32 * half, p.quants + 4 * half * kStride + 4 * p.row, kStride);
  }
  Move<kPack>(gguf + 64, p.head + 2 * p.row, 2);
}
