// SPDX-License-Identifier: GPL-2.0-or-later
// What the instruction tables cover, for docs/coverage.md.
#pragma once

#include <span>
#include <string>

#include "translator/arm32/decoder/decoder.h"

namespace crosswalk::decoder {

// Allocated encodings that are always UNDEFINED here.
struct UndefinedByChoice {
  const char* handler_name;
  const char* reason;
};
std::span<const UndefinedByChoice> undefined_by_choice();

size_t count_rows(Isa isa);

// Markdown: rows per instruction set, then each row that is UNDEFINED by choice with the reason.
std::string coverage_report();

}  // namespace crosswalk::decoder
