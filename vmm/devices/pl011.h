// SPDX-License-Identifier: GPL-2.0-or-later
// The PL011 UART (ARM DDI 0183G, r1p4 identification as on QEMU's virt machine).
//
// Time does not pass on this serial line: a byte written has left, and a received byte that waits
// below the FIFO's trigger level has waited for the receive timeout. As in QEMU, CR's enables do
// not hold data back, because bare-metal programs made for it rely on that.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "vmm/devices/console_input.h"
#include "vmm/devices/console_output.h"
#include "vmm/devices/device.h"

namespace crosswalk::vmm {

class Pl011 final : public MmioDevice, public InputSink {
 public:
  static constexpr uint64_t kRegionBytes = 0x1000;

  // The registers by their names, and what waits to be read. Plain data.
  struct State {
    std::deque<uint16_t> received;  // as UARTDR shows them, with their errors
    uint32_t receive_status = 0;
    uint32_t ilpr = 0, ibrd = 0, fbrd = 0, lcr_h = 0, cr = 0x300, ifls = 0x12, imsc = 0, ris = 0, dmacr = 0;
  };

  Pl011(ConsoleOutput& console, InterruptSink& interrupts, unsigned interrupt)
      : console_(console), interrupts_(interrupts), interrupt_(interrupt) {}

  uint32_t read(unsigned cpu, uint64_t offset, unsigned bytes) override;
  void write(unsigned cpu, uint64_t offset, unsigned bytes, uint32_t value) override;

  State save() const { return state_; }
  // The interrupt follows. With the device lock held.
  void restore(const State& state);

  size_t input_room() const override { return kBacklog - state_.received.size(); }
  void input(const uint8_t* data, size_t bytes) override;
  void set_notifier(IoNotifier* notifier) { notifier_ = notifier; }
  // Takes the oldest received character, if there is one, as a read of UARTDR does.
  std::optional<uint16_t> receive();
  // The line is in a break. With the device lock held.
  void input_break();
  // The I/O thread has made room in the console's ring.
  void output_drained();

 private:
  static constexpr size_t kFifo = 16;
  // what the line holds back with flow control, the FIFO included
  static constexpr size_t kBacklog = 4096;

  size_t fifo_depth() const;
  size_t fifo_count() const;
  size_t receive_trigger() const;
  void transmit(uint8_t byte);
  void update_receive();
  void update_interrupt();

  ConsoleOutput& console_;
  InterruptSink& interrupts_;
  unsigned interrupt_;
  IoNotifier* notifier_ = nullptr;
  State state_;
};

}  // namespace crosswalk::vmm
