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
  // Where the next case is expected to stop: counting alone does not always stop Unicorn after a
  // branch.
  void stop_at(uint32_t pc) { stop_at_ = pc; }
  // Whether anything outside the data area was written since the last forget_code.
  bool stray_store() const { return stray_store_; }

 private:
  void open();
  // In System mode, where r13 and r14 are User mode's.
  void access_user_bank(uint32_t cpsr, uint32_t& r13, uint32_t& r14, bool write);
  static void on_interrupt(uc_engine* uc, uint32_t number, void* self);
  static void on_stray_store(uc_engine* uc, uc_mem_type type, uint64_t address, int bytes, int64_t value, void* self);
  static bool on_invalid(uc_engine* uc, void* self);

  uc_engine* uc_ = nullptr;
  uint8_t* ram_ = nullptr;
  uint32_t stop_at_ = 0;
  bool stray_store_ = false;
  Exception exception_ = Exception::None;
};

}  // namespace crosswalk::differential
