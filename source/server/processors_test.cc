#include "source/server/processors.h"

#include <catch2/catch.hpp>
#include <string>

#include "test/support/files/scratch_folder.h"

namespace sluice::server {
namespace {

// A tree with /proc and control groups.
class Tree : public test::ScratchFolder {
 public:
  void mountV2(const std::string& group) {
    write("proc/self/mountinfo", "25 1 0:22 / /proc rw - proc proc rw\n31 25 0:27 " + group +
                                     " /sys/fs/cgroup ro,nosuid shared:9 - cgroup2 cgroup rw,nsdelegate\n");
  }
};

TEST_CASE("the CPU limit of version 2 control groups is the least of the group's and its parents'") {
  Tree tree;
  tree.mountV2("/");
  tree.write("proc/self/cgroup", "0::/pod/box\n");
  CHECK_FALSE(cgroupCpuLimit(tree.path()));
  tree.write("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
  CHECK_FALSE(cgroupCpuLimit(tree.path()));
  tree.write("sys/fs/cgroup/pod/cpu.max", "350000 100000\n");
  CHECK(cgroupCpuLimit(tree.path()) == 3.5);
  tree.write("sys/fs/cgroup/pod/box/cpu.max", "150000 100000\n");
  CHECK(cgroupCpuLimit(tree.path()) == 1.5);
}

TEST_CASE("a container finds its CPU limit whether its group has a name of its own or the host's") {
  Tree tree;
  tree.write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  tree.mountV2("/");
  tree.write("proc/self/cgroup", "0::/\n");
  CHECK(cgroupCpuLimit(tree.path()) == 2);
  tree.mountV2("/docker/1234");
  tree.write("proc/self/cgroup", "0::/docker/1234\n");
  CHECK(cgroupCpuLimit(tree.path()) == 2);
}

TEST_CASE("the CPU limit of version 1 control groups is quota by period, and -1 is none") {
  Tree tree;
  tree.write("proc/self/mountinfo",
             "40 30 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
             "41 30 0:34 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  tree.write("proc/self/cgroup", "5:memory:/box\n4:cpu,cpuacct:/box\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "50000\n");
  tree.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
  CHECK_FALSE(cgroupCpuLimit(tree.path()));
  tree.write("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "25000\n");
  CHECK(cgroupCpuLimit(tree.path()) == 0.5);
}

TEST_CASE("without control groups there is no CPU limit, and at least one worker in any case") {
  Tree tree;
  CHECK_FALSE(cgroupCpuLimit(tree.path()));
  CHECK(defaultConcurrency() >= 1);
}

}  // namespace
}  // namespace sluice::server
