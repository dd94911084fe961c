// SPDX-License-Identifier: GPL-2.0-or-later
// Fault status values, modes and exceptions in words, for logs and reports.
#pragma once

#include <cstdint>
#include <string>

#include "translator/arm32/cpu/cpu_state.h"
#include "translator/arm32/cpu/exceptions.h"

namespace crosswalk::arm {

// What a DFSR (`data`) or IFSR value says, in either format (B3.13.4, tables B3-23 and B3-24), as
// in "permission fault, second level, write, domain 1".
std::string describe_fault_status(uint32_t fsr, bool data);
// "usr", "svc", …; "?" for a reserved value of PSR.M.
const char* name_of(Mode mode);
// The name as the Arm manual has it: "Data Abort".
const char* name_of(Exception kind);

}  // namespace crosswalk::arm
