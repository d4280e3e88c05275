"""`make bench`: every measurement that needs nothing but the repository."""

from bench import diagnosis, growth

for claim in (diagnosis, growth):
    print(f"\n== {claim.__name__}: {(claim.__doc__ or '').splitlines()[0]}", flush=True)
    claim.main()
