"""An error as chapter 6 has it: a code and parameters."""


class Refused(Exception):
    def __init__(self, code, **params):
        super().__init__(code)
        self.code, self.params = code, {name: str(value) for name, value in params.items()}

    def message(self):
        """As `link.Error`, in the limits of chapter 3 §11."""
        params = [{"key": k[:256], "value": v.encode()[:256].decode(errors="ignore")} for k, v in list(self.params.items())[:8]]
        return {"code": self.code, "params": params}
