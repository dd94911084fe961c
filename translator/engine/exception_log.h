// SPDX-License-Identifier: GPL-2.0-or-later
// -d int: a few lines for each exception that the guest takes, in the manner of qemu-system-arm.
#pragma once

#include "translator/arm32/cpu/exception_observer.h"
#include "translator/engine/log.h"

namespace crosswalk::engine {

class ExceptionLog final : public arm::ExceptionObserver {
 public:
  // Precondition: log.file is not null.
  explicit ExceptionLog(const LogConfig& log) : log_(log) {}
  void exception_taken(const CpuState& cpu, arm::Exception kind, uint32_t pc, uint32_t psr) override;

 private:
  LogConfig log_;
};

}  // namespace crosswalk::engine
