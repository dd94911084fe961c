// SPDX-License-Identifier: GPL-2.0-or-later
// The rows that --stats prints: each subsystem adds its own at exit.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "vmm/result.h"

namespace crosswalk::vmm {

class StatisticsTable {
 public:
  using Value = std::variant<uint64_t, double, std::string>;
  struct Row {
    std::string group, name;
    Value value;
    std::string unit;
  };

  // Rows of one group (subsystem) are printed together, in the order they were added.
  void add(std::string group, std::string name, uint64_t value, std::string unit = "");
  void add(std::string group, std::string name, double value, std::string unit = "");
  void add(std::string group, std::string name, std::string value, std::string unit = "");

  const std::vector<Row>& rows() const { return rows_; }
  std::string table() const;
  // {"group": {"name": value, ...}, ...}; units are in the names' companions "units".
  std::string json() const;
  // Writes json() to `path`.
  Result<bool> write_json(const std::string& path) const;

 private:
  std::vector<Row> rows_;
};

}  // namespace crosswalk::vmm
