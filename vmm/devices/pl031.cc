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

uint32_t Pl031::now() { return static_cast<uint32_t>(clock_.wall_nanoseconds() / kSecond) + state_.offset; }

// Seconds from `state_.last` to the next match. After a match it is once around the counter.
uint64_t Pl031::distance() const {
  const uint32_t seconds = state_.match - state_.last;
  return seconds != 0 ? seconds : uint64_t{1} << 32;
}

std::optional<uint64_t> Pl031::next_alarm() {
  if (!state_.compares || state_.ris) return std::nullopt;
  const uint64_t host = clock_.wall_nanoseconds();
  const auto moved = static_cast<int32_t>(static_cast<uint32_t>(host / kSecond) + state_.offset - state_.last);
  const int64_t seconds = static_cast<int64_t>(distance()) - moved;
  return seconds <= 0 ? 0 : static_cast<uint64_t>(seconds) * kSecond - host % kSecond;
}

void Pl031::check_alarm() {
  if (!state_.compares) return;
  const uint32_t count = now();
  // negative: the host's clock was set back
  const auto moved = static_cast<int32_t>(count - state_.last);
  if (moved > 0 && distance() <= static_cast<uint32_t>(moved)) matched();
  state_.last = count;
}

// The guest wrote the match or the counter: they are compared as they are, not for what lies
// between.
void Pl031::compare() {
  state_.last = now();
  if (state_.compares && state_.last == state_.match) matched();
  clock_.alarm_changed();
}

void Pl031::matched() {
  state_.ris = 1;
  update_interrupt();
}

void Pl031::restore(const State& state) {
  state_ = state;
  update_interrupt();
  check_alarm();
  clock_.alarm_changed();
}

uint32_t Pl031::read(unsigned, uint64_t offset, unsigned) {
  check_alarm();
  if (offset >= kPeriphId && offset < 0x1000) return offset % 4 ? 0 : kIdentification[(offset - kPeriphId) / 4];
  switch (offset) {
    case kDr: return now();
    case kMr: return state_.match;
    case kLr: return state_.load;
    case kCr: return 1;  // once started it cannot be stopped
    case kImsc: return state_.imsc;
    case kRis: return state_.ris;
    case kMis: return state_.ris & state_.imsc;
    default: return 0;
  }
}

void Pl031::write(unsigned, uint64_t offset, unsigned, uint32_t value) {
  check_alarm();
  switch (offset) {
    case kMr:
      state_.match = value;
      state_.compares = true;
      compare();
      break;
    case kLr:
      state_.load = value;
      state_.offset += value - now();
      compare();
      break;
    case kImsc:
      state_.imsc = value & 1;
      update_interrupt();
      break;
    case kIcr:
      state_.ris &= ~value;
      update_interrupt();
      clock_.alarm_changed();
      break;
    default: break;
  }
}

}  // namespace crosswalk::vmm
