// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory with the access rules that all loads and stores share: endianness and SCTLR.A.
// `align_log2` is what the instruction demands beyond that, as in MemAccess.
#pragma once

#include "translator/arm32/frontend/translate_context.h"

namespace crosswalk::frontend {

Value load(TranslateContext& t, uint32_t log2_bytes, Value va, bool sign_extend = false, uint8_t align_log2 = 0,
           bool unprivileged = false);
void store(TranslateContext& t, uint32_t log2_bytes, Value va, Value v, uint8_t align_log2 = 0,
           bool unprivileged = false);
// One 64-bit access, of two words or of one element; the low word is at va whatever the
// endianness.
Value load64(TranslateContext& t, Value va, uint8_t align_log2 = 0, uint8_t element_log2 = 2);
void store64(TranslateContext& t, Value va, Value v, uint8_t align_log2 = 0, uint8_t element_log2 = 2);

}  // namespace crosswalk::frontend
