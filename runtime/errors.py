"""What can go wrong when a service is put together."""


class RuntimeRefused(Exception):
    """Root of this layer's errors; the message says what to do."""

    reason = "refused"


class SettingsRefused(RuntimeRefused):
    """A setting is wrong or names something this version does not have."""

    reason = "settings_refused"


class BuildFailed(RuntimeRefused):
    """Building an index did not finish; the one that serves is untouched."""

    reason = "build_failed"


class EncodersSwitched(RuntimeRefused):
    """The home was switched to other encoders after this process started; it must be restarted."""

    reason = "encoders_switched"


class NothingToRollBack(RuntimeRefused):
    """There is no earlier choice of encoders to return to."""

    reason = "nothing_to_roll_back"


class WriterBusy(RuntimeRefused):
    """Another process is writing to this home and did not finish in time."""

    reason = "writer_busy"


class JobStopped(RuntimeRefused):
    """A job that was waited for ended, or was laid down, before all of it was done; what it did is kept."""

    reason = "job_stopped"


class KeyRefused(RuntimeRefused):
    """A key or session that opens nothing; `reason` says why, but only to whoever has the right secret."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class KeyNotMade(RuntimeRefused):
    """A key cannot be made as asked."""

    reason = "key_not_made"


class ClusterFailed(RuntimeRefused):
    """A Ray cluster cannot be used, or was lost; what is in stays in, and the job goes on later."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
