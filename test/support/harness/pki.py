"""Certificates for tests, made by OpenSSL's command line."""
import os
import subprocess


def openssl(*arguments, text=None):
    run = subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, errors="replace", timeout=60)
    if run.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {run.stderr}")
    return run.stdout


def contentOf(path):
    with open(path) as file:
        return file.read()


class Authority:
    """Makes certificates in a folder: NAME.pem with NAME.key."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.name = name
        self.serial = 0
        os.makedirs(folder, exist_ok=True)
        self.makeKey(name, "ec")
        openssl("req", "-x509", "-new", "-key", self.key(name), "-out", self.cert(name), "-days", "30", "-subj",
                f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip

    def cert(self, name):
        return os.path.join(self.folder, name + ".pem")

    def key(self, name):
        return os.path.join(self.folder, name + ".key")

    def makeKey(self, name, kind):
        if kind == "rsa":
            openssl("genrsa", "-out", self.key(name), "2048")
        else:
            openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.key(name))

    def issue(self, name, san="", kind="ec", days=10, usage="serverAuth,clientAuth", key_usage=""):
        self.makeKey(name, kind)
        request = openssl("req", "-new", "-key", self.key(name), "-subj", f"/CN={name}")
        extensions = f"basicConstraints=CA:FALSE\nextendedKeyUsage={usage}\n"
        if key_usage:
            extensions += f"keyUsage=critical,{key_usage}\n"
        if san:
            extensions += f"subjectAltName={san}\n"
        extfile = os.path.join(self.folder, name + ".ext")
        with open(extfile, "w") as file:
            file.write(extensions)
        self.serial += 1
        openssl("x509", "-req", "-CA", self.cert(self.name), "-CAkey", self.key(self.name), "-set_serial",
                str(1000 + self.serial), "-days", str(days), "-extfile", extfile, "-out", self.cert(name),
                text=request)  # fmt: skip
        return self.files(name)

    def files(self, name):
        return {"certificate_chain": {"filename": self.cert(name)}, "private_key": {"filename": self.key(name)}}
