"""tools/quickstart as a stranger runs it, with shorter steps."""
import os
import re
import subprocess
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "../.."))


class CanaryTest(unittest.TestCase):
    def test_a_canary_moves_through_every_step_without_a_failed_request(self):
        environment = {**os.environ, "SLUICE_BIN_DIR": os.environ.get("SLUICE_BIN_DIR", os.path.join(TOP, "bin"))}
        run = subprocess.run(
            [os.path.join(TOP, "tools/quickstart"), "--once", "--rate", "600", "--step-s", "3"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            timeout=180,
        )

        self.assertEqual(run.returncode, 0, run.stdout)
        for step in ("90/10", "50/50", "0/100"):
            line = rf"^step {step}: v1 \d+\.\d% v2 \d+\.\d% \(\d+ requests\)$"
            self.assertRegex(run.stdout, re.compile(line, re.M))
        self.assertRegex(run.stdout, re.compile(r"^\d+ requests, 0 failed$", re.M))


if __name__ == "__main__":
    unittest.main()
