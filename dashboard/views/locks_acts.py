from django.views.decorators.http import require_POST

from dashboard.roles import role_required

from .answers import tells_problems
from .locks import page_of


@require_POST
@role_required("operator")
@tells_problems
def clear(request, store_id, lock_id):
    return page_of(request, store_id, lock_id)
