// SPDX-License-Identifier: GPL-2.0-or-later
#include "translator/arm32/frontend/memory.h"

#include <algorithm>

namespace crosswalk::frontend {
namespace {

ir::MemAccess access_of(const TranslateContext& t, uint32_t log2_bytes, uint8_t align_log2, bool unprivileged) {
  ir::MemAccess m;
  m.log2_bytes = static_cast<uint8_t>(log2_bytes);
  m.align_log2 = t.flags.strict_alignment ? std::max(align_log2, m.log2_bytes) : align_log2;
  m.unprivileged = unprivileged;
  return m;
}

uint32_t access64_of(const TranslateContext& t, uint8_t align_log2, uint8_t element_log2) {
  ir::MemAccess m;
  m.log2_bytes = 3;
  m.align_log2 = t.flags.strict_alignment ? std::max(align_log2, element_log2) : align_log2;
  if (element_log2 != 2) m.element = element_log2 + 1;
  return m.pack();
}

}  // namespace

Value load(TranslateContext& t, uint32_t log2_bytes, Value va, bool sign_extend, uint8_t align_log2,
           bool unprivileged) {
  ir::MemAccess m = access_of(t, log2_bytes, align_log2, unprivileged);
  const bool swap = t.flags.big_endian && log2_bytes != 0;
  m.sign_extend = sign_extend && !swap;
  const Value v = t.ir.Load(m.pack(), va);
  if (!swap) return v;
  if (log2_bytes == 2) return t.ir.Rev(v);
  return sign_extend ? t.ir.RevSh(v) : t.ir.Uxth(t.ir.Rev16(v));
}

void store(TranslateContext& t, uint32_t log2_bytes, Value va, Value v, uint8_t align_log2, bool unprivileged) {
  if (t.flags.big_endian && log2_bytes == 1) v = t.ir.Rev16(v);
  if (t.flags.big_endian && log2_bytes == 2) v = t.ir.Rev(v);
  t.ir.Store(access_of(t, log2_bytes, align_log2, unprivileged).pack(), va, v);
}

Value load64(TranslateContext& t, Value va, uint8_t align_log2, uint8_t element_log2) {
  const Value v = t.ir.Load64(access64_of(t, align_log2, element_log2), va);
  if (!t.flags.big_endian) return v;
  return t.ir.Pack(t.ir.Rev(t.ir.Low(v)), t.ir.Rev(t.ir.High(v)));
}

void store64(TranslateContext& t, Value va, Value v, uint8_t align_log2, uint8_t element_log2) {
  if (t.flags.big_endian) v = t.ir.Pack(t.ir.Rev(t.ir.Low(v)), t.ir.Rev(t.ir.High(v)));
  t.ir.Store64(access64_of(t, align_log2, element_log2), va, v);
}

}  // namespace crosswalk::frontend
