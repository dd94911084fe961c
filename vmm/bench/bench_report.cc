// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/bench/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "vmm/bench/bench.h"

namespace crosswalk::vmm {
namespace {

constexpr WorkloadGroup kGroups[] = {WorkloadGroup::Compute, WorkloadGroup::System, WorkloadGroup::Experiment,
                                     WorkloadGroup::Program, WorkloadGroup::Boot,   WorkloadGroup::BareMetal};

const char* group_title(WorkloadGroup group) {
  switch (group) {
    case WorkloadGroup::Compute: return "compute, time per operation";
    case WorkloadGroup::System: return "system, time per operation";
    case WorkloadGroup::Experiment: return "experiment, time per operation";
    case WorkloadGroup::Program: return "programs, time of a run";
    case WorkloadGroup::Boot: return "Linux boot";
    case WorkloadGroup::BareMetal: return "bare metal, time per operation";
  }
  return "";
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

constexpr int kNameWidth = 24;

// Of all columns: the longest name may be one with options.
int column_width(const std::vector<BenchEngine>& engines) {
  size_t width = 28;
  for (const BenchEngine& engine : engines) width = std::max(width, engine.name.size() + 2);
  return static_cast<int>(width);
}

std::string ratio_text(double ratio) { return ratio > 0 ? fmt::format("{:.2f}x", ratio) : "-"; }

std::string cell(const BenchSamples& samples, const std::string& engine, const std::string& workload,
                 const std::string& baseline, bool host_busy) {
  const std::vector<double>* values = samples.all(engine, workload);
  if (!values) return "-";
  const double spread = samples.spread(engine, workload);
  const char* mark = host_busy || spread > kNoisySpread ? "*" : " ";
  const std::string apart = values->size() > 1 ? fmt::format("({:.0f} %)", 100 * spread) : "";
  const double ratio = engine == baseline ? 0 : samples.ratio(engine, baseline, workload);
  return fmt::format("{} {:>7}{}{:>7}", format_time(samples.median(engine, workload)), apart, mark,
                     ratio > 0 ? ratio_text(ratio) : "");
}

// Where hybrid is with each workload: it should be near the best of the modes that it chooses from.
std::string format_hybrid(const BenchSamples& samples, const std::vector<Workload>& workloads,
                          const std::vector<BenchEngine>& engines) {
  const int width = column_width(engines);
  std::string rows;
  for (const Workload& workload : workloads) {
    std::string best;
    for (const BenchEngine& engine : engines) {
      const double time = samples.median(engine.name, workload.name);
      if (is_baseline(engine.name) || engine.name.starts_with("hybrid") || engine.name == "flat" || time <= 0) continue;
      if (best.empty() || time < samples.median(best, workload.name)) best = engine.name;
    }
    if (best.empty() || samples.median("hybrid", workload.name) <= 0) continue;
    rows += fmt::format("{:<{}}{:>{}}{:>{}}{:>{}}\n", workload.name, kNameWidth, best, width,
                        ratio_text(samples.ratio("hybrid", best, workload.name)), width,
                        ratio_text(samples.ratio("hybrid", "soft", workload.name)), width);
  }
  if (rows.empty()) return "";
  return fmt::format("\nhybrid\n{:<{}}{:>{}}{:>{}}{:>{}}\n", "", kNameWidth, "best other mode", width, "of its speed",
                     width, "of soft's", width) +
         rows;
}

}  // namespace

const char* group_key(WorkloadGroup group) {
  switch (group) {
    case WorkloadGroup::Compute: return "compute";
    case WorkloadGroup::System: return "system";
    case WorkloadGroup::Experiment: return "experiment";
    case WorkloadGroup::Program: return "program";
    case WorkloadGroup::Boot: return "boot";
    case WorkloadGroup::BareMetal: return "bare";
  }
  return "";
}

double BenchSamples::median(const std::string& engine, const std::string& workload) const {
  const std::vector<double>* values = all(engine, workload);
  return values ? median_of(*values) : 0;
}

double BenchSamples::spread(const std::string& engine, const std::string& workload) const {
  const std::vector<double>* values = all(engine, workload);
  if (!values) return 0;
  std::vector<double> sorted = *values;
  std::sort(sorted.begin(), sorted.end());
  const double middle = median_of(sorted);
  return middle > 0 ? (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / middle : 0;
}

const std::vector<double>* BenchSamples::all(const std::string& engine, const std::string& workload) const {
  const auto of_engine = samples_.find(engine);
  if (of_engine == samples_.end()) return nullptr;
  const auto found = of_engine->second.find(workload);
  return found == of_engine->second.end() ? nullptr : &found->second;
}

double BenchSamples::ratio(const std::string& engine, const std::string& baseline, const std::string& workload) const {
  const std::vector<double>*times = all(engine, workload), *base = all(baseline, workload);
  if (!times || !base) return 0;
  if (times->size() != base->size()) return median_of(*base) / median_of(*times);
  std::vector<double> ratios;
  for (size_t i = 0; i < base->size(); ++i) ratios.push_back((*base)[i] / (*times)[i]);
  return median_of(ratios);
}

std::string format_time(double nanoseconds) {
  const char* unit = "ns";
  double value = nanoseconds;
  for (const char* larger : {"us", "ms", "s"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = larger;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

double geometric_mean_ratio(const BenchSamples& samples, const std::vector<Workload>& workloads, WorkloadGroup group,
                            const std::string& baseline, const std::string& engine) {
  double logarithms = 0;
  int count = 0;
  for (const Workload& workload : workloads) {
    if (workload.group != group) continue;
    const double ratio = samples.ratio(engine, baseline, workload.name);
    if (ratio <= 0) continue;
    logarithms += std::log(ratio);
    ++count;
  }
  return count ? std::exp(logarithms / count) : 0;
}

std::string format_report(const BenchSamples& samples, const std::vector<Workload>& workloads,
                          const std::vector<BenchEngine>& engines, const std::string& baseline, bool host_busy) {
  const int width = column_width(engines);
  std::vector<std::string> columns;
  for (const BenchEngine& engine : engines)
    if (engine.skipped.empty()) columns.push_back(engine.name);
  std::string text = fmt::format(
      "Medians, of times and of their ratios to {}, side by side; above 1 is faster. In brackets: the interquartile\n"
      "range of the times, in per cent of their median. *: that is above {:.0f} %, or the host was busy.\n",
      baseline, 100 * kNoisySpread);
  if (host_busy)
    text += "The host was busy: its load average, the guest's CPUs counted in, was above the number of its CPUs.\n";
  for (const WorkloadGroup group : kGroups) {
    std::string rows;
    for (const Workload& workload : workloads) {
      if (workload.group != group) continue;
      std::string row = fmt::format("{:<{}}", workload.name, kNameWidth);
      bool any = false;
      for (const std::string& column : columns) {
        any |= samples.all(column, workload.name) != nullptr;
        row += fmt::format("{:>{}}", cell(samples, column, workload.name, baseline, host_busy), width);
      }
      row.erase(row.find_last_not_of(' ') + 1);
      if (any) rows += row + "\n";
    }
    if (rows.empty()) continue;
    text += fmt::format("\n{}\n{:<{}}", group_title(group), "", kNameWidth);
    for (const std::string& column : columns) text += fmt::format("{:>{}}", column, width);
    text += "\n" + rows;
    if (group == WorkloadGroup::Boot) continue;
    text += fmt::format("{:<{}}", "geometric mean", kNameWidth);
    for (const std::string& column : columns) {
      const double ratio = geometric_mean_ratio(samples, workloads, group, baseline, column);
      text += fmt::format("{:>{}}", ratio_text(ratio), width);
    }
    text += "\n";
  }
  text += format_hybrid(samples, workloads, engines);
  for (const BenchEngine& engine : engines) {
    if (!engine.skipped.empty()) text += fmt::format("\n{}: skipped: {}\n", engine.name, engine.skipped);
    if (engine.failed) text += fmt::format("\n{}: FAILED; see the messages above\n", engine.name);
  }
  return text;
}

std::string format_json(const BenchSamples& samples, const std::vector<Workload>& workloads,
                        const std::vector<BenchEngine>& engines, const std::string& baseline,
                        const Conditions& conditions, bool host_busy) {
  nlohmann::ordered_json json;
  for (const auto& [key, value] : conditions.rows())
    std::visit([&, &name = key](const auto& known) { json["conditions"][name] = known; }, value);
  json["host_busy"] = host_busy;
  json["baseline"] = baseline;
  for (const BenchEngine& engine : engines) {
    nlohmann::ordered_json& of_engine = json["engines"][engine.name];
    of_engine["skipped"] = engine.skipped;
    of_engine["failed"] = engine.failed;
    of_engine["geometric_mean_compute"] =
        geometric_mean_ratio(samples, workloads, WorkloadGroup::Compute, baseline, engine.name);
    for (const Workload& workload : workloads) {
      const std::vector<double>* values = samples.all(engine.name, workload.name);
      if (!values) continue;
      nlohmann::ordered_json& row = of_engine["workloads"][workload.name];
      row["group"] = group_key(workload.group);
      row["median_ns"] = median_of(*values);
      const double spread = samples.spread(engine.name, workload.name);
      if (values->size() > 1) row["spread"] = spread;
      row["noisy"] = host_busy || spread > kNoisySpread;
      row["speed"] = samples.ratio(engine.name, baseline, workload.name);
      row["samples_ns"] = *values;
    }
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace crosswalk::vmm
