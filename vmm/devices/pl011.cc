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
enum : uint32_t { kIntRx = 1u << 4, kIntTx = 1u << 5, kIntRt = 1u << 6, kIntAll = 0x7ff };
constexpr uint32_t kLcrHFen = 1u << 4;
constexpr uint32_t kCrLbe = 1u << 7;
constexpr uint8_t kIdentification[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

}  // namespace

size_t Pl011::fifo_depth() const { return lcr_h_ & kLcrHFen ? kFifo : 1; }
size_t Pl011::fifo_count() const { return std::min(received_.size(), fifo_depth()); }

// UARTIFLS.RXIFLSEL (3.3.9). Without FIFOs one byte is full.
size_t Pl011::receive_trigger() const {
  if (!(lcr_h_ & kLcrHFen)) return 1;
  constexpr size_t kLevel[8] = {2, 4, 8, 12, 14, 8, 8, 8};  // of 16; the last three encodings are reserved
  return kLevel[ifls_ >> 3 & 7];
}

// The receive interrupts follow the FIFO: RX at the trigger level, RT with anything below it.
void Pl011::update_receive() {
  const size_t count = fifo_count();
  ris_ &= ~(kIntRx | kIntRt);
  if (count >= receive_trigger())
    ris_ |= kIntRx;
  else if (count > 0)
    ris_ |= kIntRt;
  update_interrupt();
}

void Pl011::update_interrupt() { interrupts_.set_interrupt(interrupt_, (ris_ & imsc_) != 0); }

void Pl011::input(const uint8_t* data, size_t bytes) {
  received_.insert(received_.end(), data, data + bytes);
  update_receive();
}

void Pl011::output_drained() {
  if (ris_ & kIntTx || !console_.has_room()) return;
  ris_ |= kIntTx;
  update_interrupt();
}

void Pl011::transmit(uint8_t byte) {
  if (cr_ & kCrLbe) {
    if (received_.size() < kBacklog) received_.push_back(byte);
    ris_ |= kIntTx;
    update_receive();
    return;
  }
  console_.put(byte);
  if (console_.has_room())
    ris_ |= kIntTx;
  else
    ris_ &= ~kIntTx;  // output_drained() sets it
  update_interrupt();
}

std::optional<uint8_t> Pl011::receive() {
  if (received_.empty()) return std::nullopt;
  const uint8_t byte = received_.front();
  received_.pop_front();
  receive_status_ = 0;
  // The I/O thread stopped reading when the backlog was full.
  if (notifier_ && received_.size() == kBacklog / 2) notifier_->notify(true);
  update_receive();
  return byte;
}

uint32_t Pl011::read(unsigned, uint64_t offset, unsigned) {
  if (offset >= kPeriphId && offset < 0x1000) return offset % 4 ? 0 : kIdentification[(offset - kPeriphId) / 4];
  switch (offset) {
    case kDr: return receive().value_or(0);
    case kRsr: return receive_status_;
    case kFr: {
      uint32_t flags = kFrCts | kFrDsr | kFrDcd;
      flags |= console_.has_room() ? kFrTxfe : kFrTxff;
      if (received_.empty()) flags |= kFrRxfe;
      if (received_.size() >= fifo_depth()) flags |= kFrRxff;
      return flags;
    }
    case kIlpr: return ilpr_;
    case kIbrd: return ibrd_;
    case kFbrd: return fbrd_;
    case kLcrH: return lcr_h_;
    case kCr: return cr_;
    case kIfls: return ifls_;
    case kImsc: return imsc_;
    case kRis: return ris_;
    case kMis: return ris_ & imsc_;
    case kDmacr: return dmacr_;
    default: return 0;
  }
}

void Pl011::write(unsigned, uint64_t offset, unsigned, uint32_t value) {
  switch (offset) {
    case kDr: transmit(static_cast<uint8_t>(value)); break;
    case kRsr: receive_status_ = 0; break;  // UARTECR
    case kIlpr: ilpr_ = value & 0xff; break;
    case kIbrd: ibrd_ = value & 0xffff; break;
    case kFbrd: fbrd_ = value & 0x3f; break;
    case kLcrH:
      lcr_h_ = value & 0xff;
      update_receive();
      break;
    case kCr: cr_ = value & 0xff87; break;
    case kIfls:
      ifls_ = value & 0x3f;
      update_receive();
      break;
    case kImsc:
      imsc_ = value & kIntAll;
      update_interrupt();
      break;
    case kIcr:
      ris_ &= ~value;
      // What still waits in the FIFO has timed out again at once.
      update_receive();
      break;
    case kDmacr: dmacr_ = value & 7; break;
    default: break;
  }
}

}  // namespace crosswalk::vmm
