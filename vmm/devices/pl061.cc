// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/pl061.h"

namespace crosswalk::vmm {
namespace {

// DDI 0190B, table 3-1. Address bits [9:2] of GPIODATA are a mask of the lines that are meant.
enum Register : uint32_t {
  kDataEnd = 0x400,
  kDir = 0x400,
  kIs = 0x404,
  kIbe = 0x408,
  kIev = 0x40c,
  kIe = 0x410,
  kRis = 0x414,
  kMis = 0x418,
  kIc = 0x41c,
  kAfsel = 0x420,
  kPeriphId = 0xfe0,
};
constexpr uint8_t kIdentification[8] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

}  // namespace

// GPIOIS: by the level that GPIOIEV names, or by edges, which are remembered.
uint8_t Pl061::raw_interrupts() const {
  const auto at_level = static_cast<uint8_t>(~(levels() ^ state_.iev) & state_.is);
  return static_cast<uint8_t>(at_level | (state_.edges & ~state_.is));
}

// Lines may have another level than `before`.
void Pl061::change(uint8_t before) {
  const auto changed = static_cast<uint8_t>(before ^ levels());
  const auto heeded = static_cast<uint8_t>(state_.ibe | ~(levels() ^ state_.iev));
  state_.edges |= static_cast<uint8_t>(changed & heeded & ~state_.is);
  update_interrupt();
}

void Pl061::set_input(unsigned line, bool high) {
  const uint8_t before = levels();
  const auto bit = static_cast<uint8_t>(1u << line);
  state_.inputs = static_cast<uint8_t>(high ? state_.inputs | bit : state_.inputs & ~bit);
  change(before);
}

uint32_t Pl061::read(unsigned, uint64_t offset, unsigned) {
  if (offset < kDataEnd) {
    const auto value = static_cast<uint8_t>(levels() & offset >> 2);
    if (value & ~state_.dir & 1u << kPowerButton) set_input(kPowerButton, false);
    return value;
  }
  if (offset >= kPeriphId && offset < kRegionBytes) return offset % 4 ? 0 : kIdentification[(offset - kPeriphId) / 4];
  switch (offset) {
    case kDir: return state_.dir;
    case kIs: return state_.is;
    case kIbe: return state_.ibe;
    case kIev: return state_.iev;
    case kIe: return state_.ie;
    case kRis: return raw_interrupts();
    case kMis: return raw_interrupts() & state_.ie;
    case kAfsel: return state_.afsel;
    default: return 0;
  }
}

void Pl061::write(unsigned, uint64_t offset, unsigned, uint32_t value) {
  const auto byte = static_cast<uint8_t>(value);
  const uint8_t before = levels();
  if (offset < kDataEnd) {
    const auto mask = static_cast<uint8_t>(offset >> 2);
    state_.data = static_cast<uint8_t>((state_.data & ~mask) | (byte & mask));
    return change(before);
  }
  switch (offset) {
    case kDir: state_.dir = byte; return change(before);
    case kIs: state_.is = byte; break;
    case kIbe: state_.ibe = byte; break;
    case kIev: state_.iev = byte; break;
    case kIe: state_.ie = byte; break;
    case kIc: state_.edges &= static_cast<uint8_t>(~byte); break;
    case kAfsel: state_.afsel = byte; break;
    default: return;
  }
  update_interrupt();
}

}  // namespace crosswalk::vmm
