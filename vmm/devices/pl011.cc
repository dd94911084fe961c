// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/devices/pl011.h"

#include <algorithm>

namespace crosswalk::vmm {
namespace {

// DDI 0183G, table 3-1.
enum Register : uint32_t {
  kDr = 0x00,
  kRsr = 0x04,
  kFr = 0x18,
  kIlpr = 0x20,
  kIbrd = 0x24,
  kFbrd = 0x28,
  kLcrH = 0x2c,
  kCr = 0x30,
  kIfls = 0x34,
  kImsc = 0x38,
  kRis = 0x3c,
  kMis = 0x40,
  kIcr = 0x44,
  kDmacr = 0x48,
  kPeriphId = 0xfe0,
};
enum : uint32_t {
  kFrCts = 1u << 0,
  kFrDsr = 1u << 1,
  kFrDcd = 1u << 2,
  kFrRxfe = 1u << 4,
  kFrTxff = 1u << 5,
  kFrRxff = 1u << 6,
  kFrTxfe = 1u << 7
};
enum : uint32_t { kIntRx = 1u << 4, kIntTx = 1u << 5, kIntRt = 1u << 6, kIntBe = 1u << 9, kIntAll = 0x7ff };
constexpr uint16_t kDrBreak = 1u << 10;  // UARTDR.BE; UARTRSR has the same four bits from bit 0
constexpr uint32_t kLcrHFen = 1u << 4;
constexpr uint32_t kCrLbe = 1u << 7;
constexpr uint8_t kIdentification[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

}  // namespace

size_t Pl011::fifo_depth() const { return state_.lcr_h & kLcrHFen ? kFifo : 1; }
size_t Pl011::fifo_count() const { return std::min(state_.received.size(), fifo_depth()); }

// UARTIFLS.RXIFLSEL (3.3.9). Without FIFOs one byte is full.
size_t Pl011::receive_trigger() const {
  if (!(state_.lcr_h & kLcrHFen)) return 1;
  // of 16; the last three encodings are reserved
  constexpr size_t kLevel[8] = {2, 4, 8, 12, 14, 8, 8, 8};
  return kLevel[state_.ifls >> 3 & 7];
}

// The receive interrupts follow the FIFO: RX at the trigger level, RT with anything below it.
void Pl011::update_receive() {
  const size_t count = fifo_count();
  state_.ris &= ~(kIntRx | kIntRt);
  if (count >= receive_trigger())
    state_.ris |= kIntRx;
  else if (count > 0)
    state_.ris |= kIntRt;
  update_interrupt();
}

void Pl011::restore(const State& state) {
  state_ = state;
  if (state_.received.size() > kBacklog) state_.received.resize(kBacklog);
  update_interrupt();
}

void Pl011::update_interrupt() { interrupts_.set_interrupt(interrupt_, (state_.ris & state_.imsc) != 0); }

void Pl011::input(const uint8_t* data, size_t bytes) {
  state_.received.insert(state_.received.end(), data, data + bytes);
  update_receive();
}

void Pl011::output_drained() {
  if (state_.ris & kIntTx || !console_.has_room()) return;
  state_.ris |= kIntTx;
  update_interrupt();
}

void Pl011::transmit(uint8_t byte) {
  if (state_.cr & kCrLbe) {
    if (state_.received.size() < kBacklog) state_.received.push_back(byte);
    state_.ris |= kIntTx;
    update_receive();
    return;
  }
  console_.put(byte);
  if (console_.has_room())
    state_.ris |= kIntTx;
  else
    state_.ris &= ~kIntTx;  // output_drained() sets it
  update_interrupt();
}

// 3.3.1: a break is one character, a zero with a flag.
void Pl011::input_break() {
  if (state_.cr & kCrLbe || state_.received.size() >= kBacklog) return;
  state_.received.push_back(kDrBreak);
  state_.ris |= kIntBe;
  update_receive();
}

std::optional<uint16_t> Pl011::receive() {
  if (state_.received.empty()) return std::nullopt;
  const uint16_t character = state_.received.front();
  state_.received.pop_front();
  state_.receive_status = character >> 8 & 15;
  // The I/O thread stopped reading when the backlog was full.
  if (notifier_ && state_.received.size() == kBacklog / 2) notifier_->notify(true);
  update_receive();
  return character;
}

uint32_t Pl011::read(unsigned, uint64_t offset, unsigned) {
  if (offset >= kPeriphId && offset < 0x1000) return offset % 4 ? 0 : kIdentification[(offset - kPeriphId) / 4];
  switch (offset) {
    case kDr: return receive().value_or(0);
    case kRsr: return state_.receive_status;
    case kFr: {
      uint32_t flags = kFrCts | kFrDsr | kFrDcd;
      flags |= console_.has_room() ? kFrTxfe : kFrTxff;
      if (state_.received.empty()) flags |= kFrRxfe;
      if (state_.received.size() >= fifo_depth()) flags |= kFrRxff;
      return flags;
    }
    case kIlpr: return state_.ilpr;
    case kIbrd: return state_.ibrd;
    case kFbrd: return state_.fbrd;
    case kLcrH: return state_.lcr_h;
    case kCr: return state_.cr;
    case kIfls: return state_.ifls;
    case kImsc: return state_.imsc;
    case kRis: return state_.ris;
    case kMis: return state_.ris & state_.imsc;
    case kDmacr: return state_.dmacr;
    default: return 0;
  }
}

void Pl011::write(unsigned, uint64_t offset, unsigned, uint32_t value) {
  switch (offset) {
    case kDr: transmit(static_cast<uint8_t>(value)); break;
    case kRsr: state_.receive_status = 0; break;  // UARTECR
    case kIlpr: state_.ilpr = value & 0xff; break;
    case kIbrd: state_.ibrd = value & 0xffff; break;
    case kFbrd: state_.fbrd = value & 0x3f; break;
    case kLcrH:
      state_.lcr_h = value & 0xff;
      update_receive();
      break;
    case kCr: state_.cr = value & 0xff87; break;
    case kIfls:
      state_.ifls = value & 0x3f;
      update_receive();
      break;
    case kImsc:
      state_.imsc = value & kIntAll;
      update_interrupt();
      break;
    case kIcr:
      state_.ris &= ~value;
      // What still waits in the FIFO has timed out again at once.
      update_receive();
      break;
    case kDmacr: state_.dmacr = value & 7; break;
    default: break;
  }
}

}  // namespace crosswalk::vmm
