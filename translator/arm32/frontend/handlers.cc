// SPDX-License-Identifier: GPL-2.0-or-later
// The handler of each row, in the order of the instruction table.
#include "translator/arm32/frontend/handler.h"

namespace crosswalk::frontend {

Handler handler_of(const Decoded& d) {
  static constexpr Handler kHandlers[] = {
#define INST(isa, handler, name, pattern) &handler,
#include "translator/arm32/decoder/all_rows.inc"
#undef INST
  };
  return kHandlers[d.row - decoder::rows().data()];
}

}  // namespace crosswalk::frontend
