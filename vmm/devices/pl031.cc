// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/pl031.h"

namespace crosswalk::vmm {
namespace {

// DDI 0224C, table 3-1.
enum Register : uint32_t {
  kDr = 0x00,
  kMr = 0x04,
  kLr = 0x08,
  kCr = 0x0c,
  kImsc = 0x10,
  kRis = 0x14,
  kMis = 0x18,
  kIcr = 0x1c,
  kPeriphId = 0xfe0,
};
constexpr uint8_t kIdentification[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
constexpr uint64_t kSecond = 1'000'000'000;

}  // namespace

uint32_t Pl031::now() { return static_cast<uint32_t>(clock_.wall_nanoseconds() / kSecond) + offset_; }

std::optional<uint64_t> Pl031::next_alarm() {
  if (!armed_) return std::nullopt;
  const uint64_t host = clock_.wall_nanoseconds();
  const uint32_t seconds = match_ - (static_cast<uint32_t>(host / kSecond) + offset_);  // the counter wraps
  return seconds == 0 ? 0 : uint64_t{seconds} * kSecond - host % kSecond;
}

void Pl031::check_alarm() {
  if (!armed_ || now() != match_) return;
  armed_ = false;
  ris_ = 1;
  update_interrupt();
}

uint32_t Pl031::read(unsigned, uint64_t offset, unsigned) {
  if (offset >= kPeriphId && offset < 0x1000) return offset % 4 ? 0 : kIdentification[(offset - kPeriphId) / 4];
  switch (offset) {
    case kDr: return now();
    case kMr: return match_;
    case kLr: return load_;
    case kCr: return 1;  // once started it cannot be stopped
    case kImsc: return imsc_;
    case kRis: return ris_;
    case kMis: return ris_ & imsc_;
    default: return 0;
  }
}

void Pl031::write(unsigned, uint64_t offset, unsigned, uint32_t value) {
  switch (offset) {
    case kMr:
      match_ = value;
      armed_ = true;
      check_alarm();
      clock_.alarm_changed();
      break;
    case kLr:
      load_ = value;
      offset_ += value - now();
      check_alarm();
      clock_.alarm_changed();
      break;
    case kImsc:
      imsc_ = value & 1;
      update_interrupt();
      break;
    case kIcr:
      ris_ &= ~value;
      update_interrupt();
      break;
    default: break;
  }
}

}  // namespace crosswalk::vmm
