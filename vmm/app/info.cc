// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/info.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "vmm/host/probe.h"

namespace crosswalk::vmm {
namespace {

std::string as_text(const std::vector<Fact>& facts, const Choice& choice) {
  const std::string choice_title = "--mmu auto picks";
  size_t width = choice_title.size();
  for (const Fact& fact : facts) width = std::max(width, fact.title.size());
  std::string text;
  for (const Fact& fact : facts) text += fmt::format("{:<{}}  {}\n", fact.title, width, fact.text);
  return text + fmt::format("{:<{}}  {}: {}\n", choice_title, width, choice.mode->name, choice.reason);
}

std::string as_json(const std::vector<Fact>& facts, const Choice& choice) {
  nlohmann::ordered_json root;
  for (const Fact& fact : facts) {
    std::visit([&](const auto& value) { root[fact.key] = value; }, fact.value);
  }
  root["auto"] = choice.mode->name;
  root["auto_reason"] = choice.reason;
  return root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_info(const InfoOptions& options) {
  const HostFacts facts = probe_host(options.memory_bytes);
  const Choice choice = pick_auto(facts);
  const std::vector<Fact> rows = list_facts(facts);
  std::fputs((options.json ? as_json(rows, choice) : as_text(rows, choice)).c_str(), stdout);
  return 0;
}

}  // namespace crosswalk::vmm
