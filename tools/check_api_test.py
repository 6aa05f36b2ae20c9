"""check_api finds what it is for: a copy of the tree is spoilt in one place and checked."""
import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLUSTER = "api/envoy/config/cluster/v3/cluster.proto"


class CheckApi(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ("api", "source", "test/conformance"):
            shutil.copytree(os.path.join(TOP, folder), os.path.join(self.root, folder))

    def spoil(self, path, old, new):
        path = os.path.join(self.root, path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))

    def check(self, *more):
        run = subprocess.run(
            [os.path.join(TOP, "tools/check_api"), "--root", self.root, *more], capture_output=True, text=True, check=False
        )
        self.assertEqual(run.stderr, "")
        return run.stdout

    def test_a_wrong_number_is_found(self):
        self.spoil(CLUSTER, "string alt_stat_name = 28", "string alt_stat_name = 2001")
        self.assertIn("Cluster.alt_stat_name: number is 2001, in the table 28", self.check())

    def test_a_wrong_type_is_found(self):
        self.spoil(CLUSTER, "string alt_stat_name = 28", "bytes alt_stat_name = 28")
        self.assertIn("Cluster.alt_stat_name: type is 'bytes', in the table 'string'", self.check())

    def test_a_field_that_envoy_does_not_have_is_found(self):
        self.spoil(CLUSTER, "string alt_stat_name = 28", "string our_own = 2000;\n  string alt_stat_name = 28")
        self.assertIn("Cluster.our_own is no field of Envoy v1.40", self.check())

    def test_a_lost_rule_is_found(self):
        self.spoil(CLUSTER, "\n  string name = 1 [(validate.rules) = {string {min_len: 1}}]", "\n  string name = 1")
        self.assertIn("Cluster.name: rules are {}, in the table {string { min_len: 1 }}", self.check())

    def test_a_declared_field_that_nothing_reads_is_found(self):
        self.spoil(CLUSTER, "string alt_stat_name = 28", "bool connection_pool_per_downstream_connection = 51;\n  string alt_stat_name = 28")
        self.assertIn("connection_pool_per_downstream_connection is declared but nothing under source/ reads it", self.check())

    def test_a_stale_table_of_known_fields_is_found(self):
        self.spoil("source/config/known_fields.tsv", "28 alt_stat_name", "27 alt_stat_name")
        self.assertIn("source/config/known_fields.tsv differs from the table", self.check())

    def test_the_share_of_use_that_is_declared_is_told(self):
        table = os.path.join(self.root, "usage.tsv")
        with open(table, "w", encoding="utf-8") as file:
            file.write("message\tfield\tscore\n")
            file.write("envoy.config.cluster.v3.Cluster\tname\t0.3\nenvoy.config.cluster.v3.Cluster\tnone\t0.1\n")
        self.assertEqual(
            self.check("--usage", table),
            "declared: 75.00% of weighted use\n25.00%  envoy.config.cluster.v3.Cluster.none\n",
        )


if __name__ == "__main__":
    unittest.main()
