// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/bench.h"

#include <gtest/gtest.h>

#include "vmm/bench_process.h"
#include "vmm/bench_report.h"
#include "vmm/exit_status.h"

namespace crosswalk::vmm {
namespace {

TEST(FormatTime, KeepsThreeDigitsAndPicksTheUnit) {
  EXPECT_EQ(format_time(0.53), "0.53 ns");
  EXPECT_EQ(format_time(12.34), "12.3 ns");
  EXPECT_EQ(format_time(999.6), "1.00 us");
  EXPECT_EQ(format_time(67983), "68.0 us");
  EXPECT_EQ(format_time(53.9e6), "53.9 ms");
  EXPECT_EQ(format_time(3.2e9), "3.20 s");
  EXPECT_EQ(format_time(4.2e12), "4200 s");
}

TEST(BenchSamples, MedianOfOddAndEvenCounts) {
  BenchSamples samples;
  EXPECT_EQ(samples.median("soft", "w"), 0);
  for (const double value : {5.0, 1.0, 100.0}) samples.add("soft", "w", value);
  EXPECT_EQ(samples.median("soft", "w"), 5);
  samples.add("soft", "w", 7);
  EXPECT_EQ(samples.median("soft", "w"), 6);
}

TEST(BenchSamples, GeometricMeanSkipsOtherGroupsAndMissingRows) {
  BenchSamples samples;
  const std::vector<Workload> workloads = {{"a", WorkloadGroup::Compute},
                                           {"b", WorkloadGroup::Compute},
                                           {"c", WorkloadGroup::Compute},
                                           {"s", WorkloadGroup::System}};
  samples.add("qemu", "a", 8);
  samples.add("soft", "a", 2);
  samples.add("qemu", "b", 9);
  samples.add("soft", "b", 9);
  samples.add("qemu", "c", 5);
  samples.add("qemu", "s", 1000);
  samples.add("soft", "s", 1);
  EXPECT_DOUBLE_EQ(geometric_mean_ratio(samples, workloads, WorkloadGroup::Compute, "qemu", "soft"), 2);
  EXPECT_EQ(geometric_mean_ratio(samples, workloads, WorkloadGroup::Boot, "qemu", "soft"), 0);
  const std::string report =
      format_report(samples, workloads, {{"qemu", "", false}, {"soft", "", false}, {"ept", "no KVM", false}}, "qemu");
  EXPECT_NE(report.find("4.00x"), std::string::npos) << report;
  EXPECT_NE(report.find("ept: skipped: no KVM"), std::string::npos) << report;
}

TEST(RunProcess, CollectsLinesStatusAndErrors) {
  const ProcessOutcome outcome = run_process({"/bin/sh", "-c", "printf 'one\\r\\ntwo'; echo bad >&2; exit 7"}, 10);
  ASSERT_TRUE(outcome.started);
  EXPECT_EQ(outcome.exit_status, 7);
  ASSERT_EQ(outcome.lines.size(), 2u);
  EXPECT_EQ(outcome.lines[0].text, "one");
  EXPECT_EQ(outcome.lines[1].text, "two");
  EXPECT_EQ(outcome.error_text, "bad");
}

TEST(RunProcess, KillsAfterTheTimeout) {
  const ProcessOutcome outcome = run_process({"/bin/sh", "-c", "exec sleep 60"}, 1);
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_status, 128 + 9);
}

TEST(RunProcess, MissingProgram) {
  const ProcessOutcome outcome = run_process({"/nonexistent/program"}, 5);
  EXPECT_FALSE(outcome.started);
  EXPECT_NE(outcome.error_text.find("/nonexistent/program"), std::string::npos);
}

TEST(RunBench, BadOptionsAreOneLine) {
  BenchOptions options;
  options.images = "/nonexistent";
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("make guest"), std::string::npos);
  options.workloads = {"no_such_workload"};
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("no_such_workload"), std::string::npos);
  options.workloads = {};
  options.baseline = "bochs";
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_bench(options), kExitBadOptions);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("bochs"), std::string::npos);
}

}  // namespace
}  // namespace crosswalk::vmm
