// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace crosswalk::vmm {

// Asks a thread, mostly the I/O thread, to look at its work.
class IoNotifier {
 public:
  virtual ~IoNotifier() = default;
  // Callable from any thread. Work that is not urgent may be noticed a few milliseconds later,
  // without a system call.
  virtual void notify(bool urgent) = 0;
};

}  // namespace crosswalk::vmm
