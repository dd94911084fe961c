// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/base/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace crosswalk::vmm {
namespace {

std::string text_of(const StatisticsTable::Value& value) {
  if (const auto* integer = std::get_if<uint64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{:.3f}", *real);
  return std::get<std::string>(value);
}

}  // namespace

void StatisticsTable::add(std::string group, std::string name, uint64_t value, std::string unit) {
  rows_.push_back({std::move(group), std::move(name), value, std::move(unit)});
}
void StatisticsTable::add(std::string group, std::string name, double value, std::string unit) {
  rows_.push_back({std::move(group), std::move(name), value, std::move(unit)});
}
void StatisticsTable::add(std::string group, std::string name, std::string value, std::string unit) {
  rows_.push_back({std::move(group), std::move(name), std::move(value), std::move(unit)});
}

std::string StatisticsTable::table() const {
  size_t width = 0;
  for (const Row& row : rows_) width = std::max(width, row.name.size());
  std::vector<std::string> groups;
  for (const Row& row : rows_) {
    if (std::find(groups.begin(), groups.end(), row.group) == groups.end()) groups.push_back(row.group);
  }
  std::string text;
  for (const std::string& group : groups) {
    text += group + "\n";
    for (const Row& row : rows_) {
      if (row.group != group) continue;
      const std::string value = text_of(row.value);
      const std::string unit = row.unit.empty() ? "" : " " + row.unit;
      text += fmt::format("  {:<{}}  {:>16}{}\n", row.name, width, value, unit);
    }
  }
  for (const Grid& grid : grids_) {
    text += grid.name + "\n" + fmt::format("  {:>5}", grid.key);
    for (const std::string& column : grid.columns)
      text += fmt::format("  {:>{}}", column, std::max<size_t>(column.size(), 9));
    text += "\n";
    for (const Grid::Row& row : grid.rows) {
      text += fmt::format("  {:>5}", row.key);
      for (size_t i = 0; i < grid.columns.size(); i++)
        text += fmt::format("  {:>{}}", text_of(row.values.at(i)), std::max<size_t>(grid.columns[i].size(), 9));
      text += "\n";
    }
  }
  return text;
}

std::string StatisticsTable::json() const {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  for (const Row& row : rows_) {
    nlohmann::ordered_json& group = root[row.group];
    std::visit([&](const auto& value) { group[row.name] = value; }, row.value);
    if (!row.unit.empty()) group["units"][row.name] = row.unit;
  }
  for (const Grid& grid : grids_) {
    nlohmann::ordered_json& array = root[grid.name] = nlohmann::ordered_json::array();
    for (const Grid::Row& row : grid.rows) {
      nlohmann::ordered_json object;
      object[grid.key] = row.key;
      for (size_t i = 0; i < grid.columns.size(); i++)
        std::visit([&](const auto& value) { object[grid.columns[i]] = value; }, row.values.at(i));
      array.push_back(std::move(object));
    }
  }
  return root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<bool> StatisticsTable::write_json(OutputFile& file) const {
  const std::string text = json();
  return file.finish(std::fwrite(text.data(), 1, text.size(), file.stream()) == text.size());
}

}  // namespace crosswalk::vmm
