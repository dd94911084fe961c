// SPDX-License-Identifier: GPL-2.0-or-later
// The rows that --stats prints: each subsystem adds its own at exit.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "translator/base/result.h"
#include "vmm/base/output_file.h"

namespace crosswalk::vmm {

class StatisticsTable {
 public:
  using Value = std::variant<uint64_t, double, std::string>;
  struct Row {
    std::string group, name;
    Value value;
    std::string unit;
  };

  // A table of its own: one line for each key, in JSON an array of objects under `name`.
  struct Grid {
    std::string name, key;
    std::vector<std::string> columns;
    struct Row {
      uint64_t key;
      std::vector<Value> values;  // as many as columns
    };
    std::vector<Row> rows;
  };

  // Rows of one group (subsystem) are printed together, in the order they were added.
  void add(std::string group, std::string name, uint64_t value, std::string unit = "");
  void add(std::string group, std::string name, double value, std::string unit = "");
  void add(std::string group, std::string name, std::string value, std::string unit = "");

  // A row for each of `counters` (translator/base/counter.h) that has something to show in
  // `values`. `ticks_per_second` is for those that count ticks. `of`: which of several `values`
  // these are; their names end with it.
  template <class Counters, class Values>
  requires requires(const Counters& c, const Values& v) { c[0].is_shown(v); }
  void add(const std::string& group, const Counters& counters, const Values& values, double ticks_per_second = 1,
           const std::string& of = "") {
    for (const auto& counter : counters) {
      if (!counter.is_shown(values)) continue;
      const std::string name = of.empty() ? counter.name : counter.name + (": " + of);
      std::visit([&](auto value) { add(group, name, value, counter.unit_name()); },
                 counter.shown(values, ticks_per_second));
    }
  }

  void add(Grid grid) { grids_.push_back(std::move(grid)); }

  const std::vector<Row>& rows() const { return rows_; }
  std::string table() const;
  // {"group": {"name": value, ...}, ..., "grid": [{"key": n, "column": value, ...}, ...]}; units
  // are in the names' companions "units".
  std::string json() const;
  // Writes json() and closes the file.
  Result<bool> write_json(OutputFile& file) const;

 private:
  std::vector<Row> rows_;
  std::vector<Grid> grids_;
};

}  // namespace crosswalk::vmm
