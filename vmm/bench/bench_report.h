// SPDX-License-Identifier: GPL-2.0-or-later
// Samples of the benchmark, and the table of their medians and ratios.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "vmm/base/conditions.h"

namespace crosswalk::vmm {

enum class WorkloadGroup { Compute, System, Experiment, Program, Boot, BareMetal };

// The word for it in --workloads and in the JSON.
const char* group_key(WorkloadGroup group);

struct Workload {
  std::string name;
  WorkloadGroup group;
};

// One column of the table: an MMU mode, QEMU, or the host itself.
struct BenchEngine {
  std::string name;
  std::string skipped{};  // why it could not run on this host; empty when it ran
  bool failed = false;    // a wrong result, a crash or a time-out
};

class BenchSamples {
 public:
  void add(const std::string& engine, const std::string& workload, double nanoseconds) {
    samples_[engine][workload].push_back(nanoseconds);
  }
  // Median of all samples, or 0 when there are none.
  double median(const std::string& engine, const std::string& workload) const;
  // The interquartile range as a share of the median. Quartiles are interpolated between samples
  // (type 7 of Hyndman and Fan 1996). 0 when there are fewer than two samples.
  double spread(const std::string& engine, const std::string& workload) const;
  const std::vector<double>* all(const std::string& engine, const std::string& workload) const;
  // How much faster `engine` is than `baseline`: the median of the ratios of measurements that were
  // made one after the other, or of unequal numbers of samples the ratio of their medians. 0 when
  // one has none.
  double ratio(const std::string& engine, const std::string& baseline, const std::string& workload) const;

 private:
  std::map<std::string, std::map<std::string, std::vector<double>>> samples_;
};

// "12.3 ns", "4.56 ms": three significant digits.
std::string format_time(double nanoseconds);

// Geometric mean over a group's workloads of that ratio, where both have samples; 0 when none.
double geometric_mean_ratio(const BenchSamples& samples, const std::vector<Workload>& workloads, WorkloadGroup group,
                            const std::string& baseline, const std::string& engine);

// Samples that are further apart than this share of their median, as spread() says, are marked.
inline constexpr double kNoisySpread = 0.1;

// A table with a row for each workload and a column for each engine: median time, spread, and the
// ratio to the baseline. A * marks what is noisy, and with `host_busy` all. With hybrid among other
// modes, also how it compares with the best of them and with soft.
std::string format_report(const BenchSamples& samples, const std::vector<Workload>& workloads,
                          const std::vector<BenchEngine>& engines, const std::string& baseline, bool host_busy);

std::string format_json(const BenchSamples& samples, const std::vector<Workload>& workloads,
                        const std::vector<BenchEngine>& engines, const std::string& baseline,
                        const Conditions& conditions, bool host_busy);

}  // namespace crosswalk::vmm
