// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/app/info.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "vmm/world/kvm/probe.h"

namespace crosswalk::vmm {
namespace {

const char* mode_name(mmu::Mode mode) {
  switch (mode) {
    case mmu::Mode::SoftCall: return name_of(MmuChoice::SoftCall);
    case mmu::Mode::Soft: return name_of(MmuChoice::Soft);
    case mmu::Mode::Mmap: return name_of(MmuChoice::Mmap);
    case mmu::Mode::Shadow: return name_of(MmuChoice::Shadow);
    case mmu::Mode::Ept: return name_of(MmuChoice::Ept);
    case mmu::Mode::Hybrid: return name_of(MmuChoice::Hybrid);
    case mmu::Mode::Flat: break;
  }
  return name_of(MmuChoice::Flat);
}

std::string as_text(const std::vector<kvm::Fact>& facts, const kvm::Choice& choice) {
  const std::string choice_title = "--mmu auto picks";
  size_t width = choice_title.size();
  for (const kvm::Fact& fact : facts) width = std::max(width, fact.title.size());
  std::string text;
  for (const kvm::Fact& fact : facts) text += fmt::format("{:<{}}  {}\n", fact.title, width, fact.text);
  return text + fmt::format("{:<{}}  {}: {}\n", choice_title, width, mode_name(choice.mode), choice.reason);
}

std::string as_json(const std::vector<kvm::Fact>& facts, const kvm::Choice& choice) {
  nlohmann::ordered_json root;
  for (const kvm::Fact& fact : facts) {
    std::visit([&](const auto& value) { root[fact.key] = value; }, fact.value);
  }
  root["auto"] = mode_name(choice.mode);
  root["auto_reason"] = choice.reason;
  return root.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_info(const InfoOptions& options) {
  const kvm::HostFacts facts = kvm::probe_host();
  const kvm::Choice choice = kvm::pick_auto(facts);
  const std::vector<kvm::Fact> rows = kvm::list_facts(facts);
  std::fputs((options.json ? as_json(rows, choice) : as_text(rows, choice)).c_str(), stdout);
  return 0;
}

}  // namespace crosswalk::vmm
