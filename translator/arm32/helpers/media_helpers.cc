// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/helpers/media_helpers.h"

#include <algorithm>
#include <cstdlib>

namespace crosswalk::helpers {
namespace {

using Prefix = ir::Parallel::Prefix;
using Operation = ir::Parallel::Operation;
using enum ir::Parallel::Prefix;
using enum ir::Parallel::Operation;

template <Prefix kPrefix>
constexpr bool kSigned = kPrefix == S || kPrefix == Q || kPrefix == SH;

// Lane `i` of `bits` bits.
template <Prefix kPrefix, unsigned kBits>
constexpr int32_t lane(uint32_t v, unsigned i) {
  const uint32_t field = v >> (i * kBits) & ((1u << kBits) - 1);
  if constexpr (kSigned<kPrefix>) return static_cast<int32_t>(field << (32 - kBits)) >> (32 - kBits);
  return static_cast<int32_t>(field);
}

template <Prefix kPrefix, unsigned kBits>
constexpr uint32_t finish(int32_t v) {
  if constexpr (kPrefix == SH || kPrefix == UH) v >>= 1;
  if constexpr (kPrefix == Q) v = std::clamp(v, -(1 << (kBits - 1)), (1 << (kBits - 1)) - 1);
  if constexpr (kPrefix == UQ) v = std::clamp(v, 0, (1 << kBits) - 1);
  return static_cast<uint32_t>(v) & ((1u << kBits) - 1);
}

// GE of one lane: no borrow or a carry for U, a non-negative result for S.
template <Prefix kPrefix, unsigned kBits>
constexpr bool ge_of(int32_t v, bool add) {
  if constexpr (kPrefix == U) return add ? v >= 1 << kBits : v >= 0;
  return v >= 0;
}

template <Prefix kPrefix, Operation kOperation>
uint64_t parallel(uint32_t n, uint32_t m, uint32_t) {
  constexpr bool kBytes = kOperation == ADD8 || kOperation == SUB8;
  constexpr bool kExchange = kOperation == ASX || kOperation == SAX;
  constexpr unsigned kBits = kBytes ? 8 : 16, kLanes = 32 / kBits;
  uint32_t result = 0, ge = 0;
  for (unsigned i = 0; i < kLanes; i++) {
    bool add = kOperation == ADD8 || kOperation == ADD16;
    if (kOperation == ASX) add = i == 1;  // the top halfword is a sum
    if (kOperation == SAX) add = i == 0;
    const int32_t a = lane<kPrefix, kBits>(n, i), b = lane<kPrefix, kBits>(m, kExchange ? 1 - i : i);
    const int32_t v = add ? a + b : a - b;
    result |= finish<kPrefix, kBits>(v) << (i * kBits);
    if (ge_of<kPrefix, kBits>(v, add)) ge |= ((1u << kBits) - 1) << (i * kBits);
  }
  return result | uint64_t{ge} << 32;
}

template <Prefix kPrefix>
ParallelFunction* with_prefix(Operation operation) {
  switch (operation) {
    case ADD16: return &parallel<kPrefix, Operation::ADD16>;
    case ASX: return &parallel<kPrefix, Operation::ASX>;
    case SAX: return &parallel<kPrefix, Operation::SAX>;
    case SUB16: return &parallel<kPrefix, Operation::SUB16>;
    case ADD8: return &parallel<kPrefix, Operation::ADD8>;
    case SUB8: return &parallel<kPrefix, Operation::SUB8>;
  }
  return nullptr;
}

}  // namespace

ParallelFunction* parallel_function(ir::Parallel which) {
  switch (which.prefix) {
    case S: return with_prefix<Prefix::S>(which.operation);
    case Q: return with_prefix<Prefix::Q>(which.operation);
    case SH: return with_prefix<Prefix::SH>(which.operation);
    case U: return with_prefix<Prefix::U>(which.operation);
    case UQ: return with_prefix<Prefix::UQ>(which.operation);
    case UH: return with_prefix<Prefix::UH>(which.operation);
  }
  return nullptr;
}

uint64_t sum_of_absolute_differences(uint32_t n, uint32_t m, uint32_t) {
  uint32_t sum = 0;
  for (unsigned i = 0; i < 32; i += 8) {
    sum += static_cast<uint32_t>(std::abs(static_cast<int>(n >> i & 0xff) - static_cast<int>(m >> i & 0xff)));
  }
  return sum;
}

}  // namespace crosswalk::helpers
