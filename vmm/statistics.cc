// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

namespace crosswalk::vmm {

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
      std::string value;
      if (const auto* integer = std::get_if<uint64_t>(&row.value))
        value = fmt::format("{}", *integer);
      else if (const auto* real = std::get_if<double>(&row.value))
        value = fmt::format("{:.3f}", *real);
      else
        value = std::get<std::string>(row.value);
      const std::string unit = row.unit.empty() ? "" : " " + row.unit;
      text += fmt::format("  {:<{}}  {:>16}{}\n", row.name, width, value, unit);
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
  return root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<bool> StatisticsTable::write_json(const std::string& path) const {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (!file) return Error{"--stats-json: cannot write " + path + ": " + std::strerror(errno)};
  const std::string text = json();
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed) return Error{"--stats-json: cannot write " + path + ": " + std::strerror(errno)};
  return true;
}

}  // namespace crosswalk::vmm
