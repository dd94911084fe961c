// SPDX-License-Identifier: GPL-2.0-or-later
// Names of guest functions: the symbol table of an ELF file, or the text of a System.map.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "translator/base/result.h"

namespace crosswalk::vmm {

class SymbolTable {
 public:
  // `option` names the file in errors.
  static Result<SymbolTable> load(const std::string& path, const std::string& option);
  // An ELF file's functions; empty for any other file. For --kernel, which need not have symbols.
  static SymbolTable of_kernel(const std::string& path);

  struct Match {
    std::string_view name;
    uint32_t offset;
  };
  // The function that contains `va`.
  std::optional<Match> find(uint32_t va) const;
  // "name" or "name+0x1c"; empty when there is none.
  std::string describe(uint32_t va) const;
  bool empty() const { return symbols_.empty(); }
  size_t size() const { return symbols_.size(); }

 private:
  struct Symbol {
    uint32_t address, bytes;  // bytes 0: up to the next one, within reason
    std::string name;
  };
  bool read_elf(std::vector<uint8_t>& file);
  bool read_map(const std::vector<uint8_t>& file);
  void sort();

  std::vector<Symbol> symbols_;  // by address, one an address
};

}  // namespace crosswalk::vmm
