// What every ISA file includes first, inside namespace lfm::kernels { namespace { ... } }: helpers without ISA.
// No std templates here: an inline function merged by the linker would bring one ISA's code into another's path.

// f16 <-> f32 in integer arithmetic, for lanes beyond the vectors and for hosts without an instruction.
LFM_INLINE float HalfBitsToFloat(uint16_t h) {
  const uint32_t sign = (h & 0x8000u) << 16, magnitude = h & 0x7fffu;
  uint32_t bits = (magnitude << 13) + (magnitude >= 0x7c00 ? 0x70000000u : 0x38000000u);
  float f;
  if (magnitude < 0x400) {
    f = static_cast<float>(magnitude) * 0x1p-24f;
    __builtin_memcpy(&bits, &f, 4);
  }
  bits |= sign;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}

LFM_INLINE uint16_t FloatToHalfBits(float f) {
  uint32_t bits;
  __builtin_memcpy(&bits, &f, 4);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (bits >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
  if (bits < 0x38800000u) {
    __builtin_memcpy(&f, &bits, 4);
    f += 0.5f;
    __builtin_memcpy(&bits, &f, 4);
    return static_cast<uint16_t>(sign | (bits - 0x3f000000u));
  }
  return static_cast<uint16_t>(sign | ((bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13));
}
