// SPDX-License-Identifier: GPL-2.0-or-later
// Unicorn 2.0.1 as the reference: Cortex-A15 of QEMU 5.0.
#pragma once

#include <unicorn/unicorn.h>

#include <memory>

#include "tests/translator/differential/guest_runner.h"

namespace crosswalk::differential {

class UnicornRunner final : public GuestRunner {
 public:
  UnicornRunner();
  ~UnicornRunner() override;
  Outcome run(const Case& c) override;
  uint8_t* ram() override { return ram_; }
  void forget_code() override;

 private:
  void open();
  // In System mode, where r13 and r14 are User mode's.
  void access_user_bank(uint32_t cpsr, uint32_t& r13, uint32_t& r14, bool write);
  static void on_interrupt(uc_engine* uc, uint32_t number, void* self);
  static bool on_invalid(uc_engine* uc, void* self);

  uc_engine* uc_ = nullptr;
  uint8_t* ram_ = nullptr;
  Exception exception_ = Exception::None;
};

}  // namespace crosswalk::differential
