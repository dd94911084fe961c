// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace crosswalk::mmu {

// Keeps pages of RAM that hold translated code free from writes that nobody sees. Part of the MMU.
class CodeProtection {
 public:
  virtual ~CodeProtection() = default;
  // Translated code was made from the RAM page at `pa` / is gone: installed entries lose or may
  // regain write access.
  virtual void protect_code_page(uint64_t pa) = 0;
  virtual void unprotect_code_page(uint64_t pa) = 0;
  // A write by a device or the engine to RAM: drops translations there (CodeListener).
  virtual void note_external_write(uint64_t pa, uint64_t bytes) = 0;
};

}  // namespace crosswalk::mmu
