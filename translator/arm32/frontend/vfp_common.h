// SPDX-License-Identifier: GPL-2.0-or-later
// What the VFP handlers share: register numbers and access by precision.
#pragma once

#include "translator/arm32/frontend/handler.h"

namespace crosswalk::frontend::vfp {

// S and D numbers of the three register fields (A7.3): Vx:x for singles, x:Vx for doubles.
inline uint32_t single_d(Fields<"Dd"> f) { return f['d'] << 1 | f['D']; }
inline uint32_t single_n(Fields<"Nn"> f) { return f['n'] << 1 | f['N']; }
inline uint32_t single_m(Fields<"Mm"> f) { return f['m'] << 1 | f['M']; }
inline uint32_t double_d(Fields<"Dd"> f) { return f['D'] << 4 | f['d']; }
inline uint32_t double_n(Fields<"Nn"> f) { return f['N'] << 4 | f['n']; }
inline uint32_t double_m(Fields<"Mm"> f) { return f['M'] << 4 | f['m']; }
inline bool is_double(Fields<"z"> f) { return f['z'] != 0; }

// Operands in the precision of the instruction's sz.
inline Value get_d(TranslateContext& t, Fields<"Ddz"> f) {
  return is_double(f) ? t.ir.GetD(double_d(f)) : t.ir.GetS(single_d(f));
}
inline Value get_n(TranslateContext& t, Fields<"Nnz"> f) {
  return is_double(f) ? t.ir.GetD(double_n(f)) : t.ir.GetS(single_n(f));
}
inline Value get_m(TranslateContext& t, Fields<"Mmz"> f) {
  return is_double(f) ? t.ir.GetD(double_m(f)) : t.ir.GetS(single_m(f));
}
inline void set_d(TranslateContext& t, Fields<"Ddz"> f, Value v) {
  if (is_double(f))
    t.ir.SetD(double_d(f), v);
  else
    t.ir.SetS(single_d(f), v);
}

}  // namespace crosswalk::frontend::vfp
