// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/x64/host_features.h"

#include <xbyak/xbyak_util.h>

namespace crosswalk::x64 {

const HostFeatures& host_features() {
  static const HostFeatures features = [] {
    const Xbyak::util::Cpu cpu;
    using Xbyak::util::Cpu;
    const bool avx = cpu.has(Cpu::tAVX);
    return HostFeatures{avx && cpu.has(Cpu::tFMA), avx && cpu.has(Cpu::tF16C), avx && cpu.has(Cpu::tAVX2),
                        cpu.has(Cpu::tPCLMULQDQ), cpu.has(Cpu::tBMI2)};
  }();
  return features;
}

}  // namespace crosswalk::x64
